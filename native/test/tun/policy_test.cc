// What the helper permits, and the text and bytes that it comes as.
#include "../../helper/policy.h"

#include <string>
#include <vector>

#include "../check.h"

namespace {

using namespace warren::helper;
using namespace wg::tun;

Prefix prefix(const std::string& text) {
  const auto parsed = parse_prefix(text);
  EXPECT(parsed);
  return *parsed;
}

}  // namespace

TEST("the helper permits warren and at most two digits, nothing else") {
  for (const char* name : {"", "warren", "warren0", "warren7", "warren99", "warren00"}) EXPECT(permits_name(name));
  for (const char* name : {"warren100", "warrenx", "warren1x", "warre", "Warren1", "eth0", "lo", "warren-1", " warren"}) {
    EXPECT(!permits_name(name));
  }
  EXPECT(!permits_name(std::string("warren\0", 7)));
}

TEST("the helper permits a host's address in a room, nothing else") {
  for (const char* text : {"10.64.16.5/20", "10.127.255.254/20", "10.64.0.1/32", "fd00::1/64", "fdff::1/128"}) {
    EXPECT(permits_address(prefix(text)));
  }
  for (const char* text : {"10.64.16.0/20", "10.64.31.255/20", "10.63.0.1/20", "10.128.0.1/20", "10.64.0.1/19",
                           "10.64.0.1/21", "10.64.0.1/8", "192.168.0.1/24", "192.168.0.1/32", "0.0.0.0/0", "fc00::1/64",
                           "fd00::/64", "fd00::1/63", "fe80::1/64", "2001:db8::1/64", "::1/128"}) {
    EXPECT(!permits_address(prefix(text)));
  }
}

TEST("the helper permits rooms, members, broadcast and multicast as routes, never more") {
  for (const char* text : {"10.64.16.0/20", "10.70.0.1/32", "255.255.255.255/32", "224.0.0.0/4", "239.255.0.0/16",
                           "224.0.0.251/32", "fd12::/64", "fd12::1/128"}) {
    EXPECT(permits_route(prefix(text)));
  }
  for (const char* text : {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "224.0.0.0/3", "240.0.0.0/4", "10.64.0.0/10",
                           "10.64.16.1/20", "10.64.16.0/24", "10.0.0.1/32", "10.128.0.1/32", "8.8.8.8/32",
                           "255.255.255.254/32", "224.0.0.1/4", "::/0", "2000::/3", "fd00::/8", "fd12::1/64", "ff02::1/128"}) {
    EXPECT(!permits_route(prefix(text)));
  }
}

TEST("a prefix is an address, a slash and a plain decimal length") {
  for (const char* text : {"", "/", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+1", "1.2.3.4/08",
                           "1.2.3.4/0x8", "1.2.3.4/8 ", " 1.2.3.4/8", "1.2.3/8", "1.2.3.4.5/8", "::1/129", "::1%1/64",
                           "1.2.3.4/1000000000000"}) {
    EXPECT(!parse_prefix(text));
  }
  EXPECT(!parse_prefix(std::string("1.2.3.4\0/8", 10)));
  EXPECT(prefix("0.0.0.0/0").length == 0);
  EXPECT(prefix("255.255.255.255/32").bytes[3] == 255);
}

TEST("requests and replies survive the wire, and every other byte sequence is refused") {
  const ConfigureRequest configure{{prefix("10.64.16.5/20"), prefix("fd00::1/64")}, {prefix("224.0.0.0/4")}};
  for (const Request& request : {Request(OpenRequest{"warren1", 1420}), Request(OpenRequest{}), Request(configure)}) {
    const auto bytes = *encode_request(request);
    EXPECT(decode_request(bytes) == request);
    for (size_t size = 0; size < bytes.size(); size++) EXPECT(!decode_request(std::span(bytes).first(size)));
    auto longer = bytes;
    longer.push_back(0);
    EXPECT(!decode_request(longer));
    auto other_version = bytes;
    other_version[0]++;
    EXPECT(!decode_request(other_version));
  }
  EXPECT(!encode_request(OpenRequest{std::string(16, 'x'), 1420}));
  EXPECT(!encode_request(ConfigureRequest{std::vector(max_addresses + 1, prefix("10.64.0.1/32")), {}}));
  EXPECT(!encode_request(ConfigureRequest{{}, std::vector(max_routes + 1, prefix("10.64.0.1/32"))}));
  const ConfigureRequest most{std::vector(max_addresses, prefix("10.64.0.1/32")),
                              std::vector(max_routes, prefix("10.64.0.1/32"))};
  EXPECT(encode_request(most)->size() == max_request_bytes);

  auto bad_family = *encode_request(configure);
  bad_family[4] = 5;
  EXPECT(!decode_request(bad_family));
  auto long_prefix = *encode_request(configure);
  long_prefix[5] = 33;
  EXPECT(!decode_request(long_prefix));
  auto behind_v4 = *encode_request(configure);
  behind_v4[6 + 4] = 1;
  EXPECT(!decode_request(behind_v4));

  const Reply reply{Code::name_taken, 16, 1420, "warren1"};
  auto bytes = encode_reply(reply);
  EXPECT(decode_reply(bytes) == reply);
  bytes[1] = last_code + 1;
  EXPECT(!decode_reply(bytes));
}
