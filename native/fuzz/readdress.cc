// Broadcasts of this host, as the kernel shows them: what comes out fits, has the new addresses, and carries every byte once.
#include "../src/device/readdress.h"

#include <algorithm>
#include <cstdlib>

#include "input.h"

namespace {

using namespace wg;

constexpr uint32_t us = 0x0a400001, room = 0x0a400fff;
constexpr size_t udp_checksum_at = 6;

void expect(bool condition) {
  if (!condition) std::abort();
}

void carries(const Ipv4Packet& before, std::vector<uint8_t> body) {
  expect(body.size() == before.body.size());
  std::vector<uint8_t> wanted(before.body.begin(), before.body.end());
  if (before.is_first()) {
    expect(body.size() >= udp_checksum_at + 2);
    // Only the checksum is another.
    std::copy_n(wanted.begin() + udp_checksum_at, 2, body.begin() + udp_checksum_at);
  }
  expect(body == wanted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  wg::fuzz::Input input(data, size);
  std::vector<uint8_t> space(input.number() % 1'500);
  const std::vector<uint8_t> bytes = input.block(4'096);
  const auto packet = Ipv4Packet::parse(bytes);
  if (!packet) return 0;
  std::vector<uint8_t> body;
  bool ended = false, any = false;
  readdress(*packet, us, room, space, [&](ByteView made) {
    any = true;
    expect(made.size() <= space.size());
    const auto part = Ipv4Packet::parse(made);
    expect(part && part->size() == made.size() && part->source == us && part->destination == room);
    expect(internet_checksum(internet_sum(part->header)) == 0);
    expect(!ended && part->offset == packet->offset + body.size());
    ended = !part->more_fragments;
    body.insert(body.end(), part->body.begin(), part->body.end());
  });
  if (!any) return 0;
  expect(ended != packet->more_fragments);
  carries(*packet, std::move(body));
  return 0;
}
