#include "../src/device/mss.h"

#include "check.h"
#include "ip_packets.h"

using namespace wg;
using namespace wg::test;

namespace {

constexpr uint8_t syn = 0x02, ack = 0x10;

Packet segment(uint8_t flags, Packet options, const Packet& payload = {}) {
  options.resize((options.size() + 3) / 4 * 4);
  Packet out(20);
  store_be16(&out[0], 50'000);
  store_be16(&out[2], 80);
  out[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  out[13] = flags;
  out.insert(out.end(), options.begin(), options.end());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

uint32_t transport_sum(ByteView packet, size_t at) {
  const ByteView tcp = packet.subspan(at);
  return add_words(tcp, pseudo_header(packet, 6, tcp.size()));
}

/// With its checksum.
Packet finished(Packet packet, size_t at) {
  store_be16(&packet[at + 16], static_cast<uint16_t>(~folded(transport_sum(packet, at))));
  return packet;
}

bool is_valid(ByteView packet, size_t at) { return folded(transport_sum(packet, at)) == 0xffff; }

Packet v4_segment(uint8_t flags, const Packet& options) {
  return finished(v4_packet(segment(flags, options), {.protocol = 6}), 20);
}

const Packet mss_1460 = {2, 4, 0x05, 0xb4};

}  // namespace

TEST("MSS: a SYN and a SYN-ACK announce what fits, with a true checksum") {
  for (const uint8_t flags : {syn, static_cast<uint8_t>(syn | ack)}) {
    Packet packet = v4_segment(flags, mss_1460);
    clamp_mss(packet, 1'220);
    EXPECT_EQ(load_be16(&packet[42]), 1'180);
    EXPECT(is_valid(packet, 20));
  }
}

TEST("MSS: in IPv6 20 bytes less, behind extension headers too") {
  const Packet hop_by_hop = {6, 0, 1, 4, 0, 0, 0, 0};
  for (const bool extended : {false, true}) {
    const size_t at = extended ? 48 : 40;
    Packet packet = finished(
        v6_packet(segment(syn, mss_1460), extended ? 0 : 6, extended ? hop_by_hop : Packet{}), at);
    clamp_mss(packet, 1'200);
    EXPECT_EQ(load_be16(&packet[at + 22]), 1'140);
    EXPECT(is_valid(packet, at));
  }
}

TEST("MSS: behind other options, at an odd place, the checksum is still true") {
  for (const Packet& before : {Packet{1}, Packet{1, 1}, Packet{3, 3, 7}, Packet{8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 4, 2}}) {
    for (uint16_t announced = 1'181; announced > 1'180 && announced < 60'000; announced += 977) {
      Packet options = before;
      options.insert(options.end(), {2, 4, static_cast<uint8_t>(announced >> 8), static_cast<uint8_t>(announced)});
      Packet packet = v4_segment(syn, options);
      clamp_mss(packet, 1'220);
      EXPECT_EQ(load_be16(&packet[40 + before.size() + 2]), 1'180);
      EXPECT(is_valid(packet, 20));
    }
  }
}

TEST("MSS: one that fits is not raised, and nothing else is touched") {
  Packet later_fragment = v4_segment(syn, mss_1460);
  store_be16(&later_fragment[6], 10);
  const Packet untouched[] = {
      v4_segment(syn, {2, 4, 0x02, 0x18}),
      v4_segment(syn, {}),
      v4_segment(ack, mss_1460),
      v4_packet(segment(syn, mss_1460), {.protocol = 17}),
      v6_packet(segment(syn, mss_1460), 17),
      later_fragment,
  };
  for (const Packet& packet : untouched) {
    Packet clamped = packet;
    clamp_mss(clamped, 1'220);
    EXPECT(clamped == packet);
  }
}

TEST("MSS: broken headers are left alone") {
  const Packet broken[] = {
      {},
      v4_segment(syn, {2, 0, 0xff, 0xff}),   // an option that never ends
      v4_segment(syn, {2, 200, 0xff, 0xff}),
      v4_segment(syn, {1, 1, 1, 2}),
      v4_packet({1, 2, 3}, {.protocol = 6}),
      v6_packet({1, 2, 3}, 6),
      v6_packet({0, 255, 0, 0, 0, 0, 0, 0}, 0),
  };
  for (const Packet& packet : broken) {
    Packet clamped = packet;
    clamp_mss(clamped, 1'220);
    EXPECT(clamped == packet);
  }
  Packet no_room = v4_segment(syn, mss_1460);
  clamp_mss(no_room, 40);
  EXPECT_EQ(load_be16(&no_room[42]), 1'460);
}
