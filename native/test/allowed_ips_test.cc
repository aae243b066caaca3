#include "../src/device/allowed_ips.h"

#include "../src/device/peer.h"
#include "check.h"

using namespace wg;

namespace {

Peer* peer(int number) {
  static std::deque<Peer> peers;
  while (static_cast<int>(peers.size()) <= number) {
    peers.emplace_back(static_cast<PeerId>(peers.size()), RemoteIdentity{});
  }
  return &peers[static_cast<size_t>(number)];
}

Peer* find(const AllowedIps& table, const std::string& address) {
  const Prefix parsed = *Prefix::parse(address);
  return table.find(parsed.v4, ByteView(parsed.address).first(parsed.v4 ? 4 : 16));
}

void insert(AllowedIps& table, const std::string& cidr, int number) { table.insert(*Prefix::parse(cidr), peer(number)); }

}  // namespace

TEST("allowed IPs: the longest prefix wins in both families") {
  AllowedIps table;
  insert(table, "0.0.0.0/0", 0);
  insert(table, "10.0.0.0/8", 1);
  insert(table, "10.1.2.3/32", 2);
  insert(table, "::/0", 3);
  insert(table, "fd00:1::/64", 4);
  insert(table, "fd00:1::5", 5);
  EXPECT(find(table, "9.9.9.9") == peer(0));
  EXPECT(find(table, "10.200.0.1") == peer(1));
  EXPECT(find(table, "10.1.2.3") == peer(2));
  EXPECT(find(table, "2001:db8::1") == peer(3));
  EXPECT(find(table, "fd00:1::6") == peer(4));
  EXPECT(find(table, "fd00:1::5") == peer(5));
  EXPECT(find(table, "fd00:1:0:1::5") == peer(3));
}

TEST("allowed IPs: a block has one owner, and goes with it") {
  AllowedIps table;
  insert(table, "10.0.0.77/24", 1);  // host bits do not count
  insert(table, "10.0.0.0/24", 2);
  EXPECT(find(table, "10.0.0.1") == peer(2));
  table.remove(peer(1));
  EXPECT(find(table, "10.0.0.1") == peer(2));
  table.remove(peer(2));
  EXPECT(find(table, "10.0.0.1") == nullptr);
}

TEST("allowed IPs: what is no prefix is refused") {
  for (const char* text : {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "fe80::1%2",
                           "a.b.c.d", "/8"}) {
    EXPECT(!Prefix::parse(text));
  }
}

TEST("inner packets: a header must be whole and its length true") {
  std::vector<uint8_t> v4(40);
  v4[0] = 0x45;
  v4[3] = 30;
  EXPECT_EQ(InnerHeader::parse(v4)->length, 30u);  // 10 bytes of padding
  v4[3] = 41;
  EXPECT(!InnerHeader::parse(v4));
  v4[3] = 19;
  EXPECT(!InnerHeader::parse(v4));
  v4[0] = 0x44;
  v4[3] = 30;
  EXPECT(!InnerHeader::parse(v4));
  std::vector<uint8_t> v6(48);
  v6[0] = 0x60;
  v6[5] = 8;
  EXPECT_EQ(InnerHeader::parse(v6)->length, 48u);
  v6[5] = 9;
  EXPECT(!InnerHeader::parse(v6));
  EXPECT(!InnerHeader::parse(ByteView(v6).first(39)));
  EXPECT(!InnerHeader::parse({}));
}
