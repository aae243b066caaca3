// The privileged helper's door: what decodes encodes to the same bytes, and what is permitted stays within a room.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "../helper/policy.h"

namespace {

using namespace wg::tun;

/// The rule in other words than policy.cc has it: nothing permitted reaches beyond these blocks.
bool stays_in_room(const Prefix& prefix) {
  const auto& b = prefix.bytes;
  if (prefix.family == 6) return b[0] == 0xfd && prefix.length >= 64;
  const bool member = b[0] == 10 && (b[1] & 0xc0) == 64 && prefix.length >= 20;
  const bool multicast = (b[0] & 0xf0) == 224 && prefix.length >= 4;
  const bool broadcast = prefix.length == 32 && std::all_of(b.begin(), b.begin() + 4, [](uint8_t x) { return x == 255; });
  return member || multicast || broadcast;
}

void check_request(const std::vector<uint8_t>& bytes) {
  const auto request = decode_request(bytes);
  if (!request) return;
  if (encode_request(*request) != bytes || bytes.size() > max_request_bytes) std::abort();
  if (!warren::helper::permits(*request)) return;
  if (const auto* open = std::get_if<OpenRequest>(&*request)) {
    if (!open->name.empty() && open->name.compare(0, 6, "warren") != 0) std::abort();
    return;
  }
  if (const auto* configure = std::get_if<ConfigureRequest>(&*request)) {
    if (!std::all_of(configure->addresses.begin(), configure->addresses.end(), stays_in_room)) std::abort();
    if (!std::all_of(configure->routes.begin(), configure->routes.end(), stays_in_room)) std::abort();
  }
}

void check_reply(const std::vector<uint8_t>& bytes) {
  const auto reply = decode_reply(bytes);
  if (reply && (encode_reply(*reply) != bytes || bytes.size() > max_reply_bytes)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> bytes(data, data + size);
  check_request(bytes);
  check_reply(bytes);
  return 0;
}
