#include "../src/device/fragment.h"

#include "check.h"
#include "ip_packets.h"

using namespace wg;
using namespace wg::test;

namespace {

std::vector<Packet> fragments_of(ByteView packet, size_t limit, uint32_t identification = 0x1234'5678) {
  const Fragmenter fragmenter(packet, limit, identification);
  std::vector<Packet> out;
  for (size_t i = 0; i < fragmenter.count(); i++) {
    Packet piece(limit);
    piece.resize(fragmenter.write(i, piece));
    EXPECT(piece.size() <= limit);
    out.push_back(std::move(piece));
  }
  return out;
}

Packet joined(std::initializer_list<Packet> parts) {
  Packet out;
  for (const Packet& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

// An IPv6 extension of 8 * (1 + more) bytes.
Packet extension(uint8_t next, uint8_t more = 0) {
  Packet out(size_t{8} * (more + 1u));
  out[0] = next;
  out[1] = more;
  return out;
}

}  // namespace

TEST("fragments: of IPv4 make the datagram again, whatever the limit and the length") {
  for (const size_t limit : {1'220u, 1'312u, 1'340u, 1'392u, 576u, 28u}) {
    for (const size_t length : {1'400u, 1'393u, 1'200u, 600u}) {
      const Packet payload = counting(length);
      const auto pieces = fragments_of(v4_packet(payload), limit);
      EXPECT(pieces.size() == (length + ((limit - 20) & ~size_t{7}) - 1) / ((limit - 20) & ~size_t{7}));
      EXPECT(reassembled(pieces) == payload);
      for (const Packet& piece : pieces) EXPECT_EQ(load_be16(&piece[4]), 0x5678);
    }
  }
}

TEST("fragments: DF is ignored, other header fields stay") {
  Packet packet = v4_packet(counting(1'380), {.protocol = 6, .identification = 0});
  packet[1] = 0xb8;
  for (const Packet& piece : fragments_of(packet, 1'220)) {
    EXPECT_EQ(piece[1], 0xb8);
    EXPECT_EQ(piece[8], 64);
    EXPECT_EQ(piece[9], 6);
    EXPECT(std::equal(piece.begin() + 12, piece.begin() + 20, packet.begin() + 12));
  }
}

TEST("fragments: only copied options are in the later ones") {
  // Record route (7, not copied) of 7 bytes, loose source route (131, copied) of 7 bytes, end.
  const Packet options = {7, 7, 4, 1, 2, 3, 4, 131, 7, 4, 5, 6, 7, 8, 0, 0};
  const Packet payload = counting(1'300);
  const auto pieces = fragments_of(v4_packet(payload, {.options = options}), 600);
  EXPECT(reassembled(pieces) == payload);
  EXPECT(std::equal(options.begin(), options.end(), pieces[0].begin() + 20));
  const Packet later = {1, 1, 1, 1, 1, 1, 1, 131, 7, 4, 5, 6, 7, 8, 0, 0};
  EXPECT(std::equal(later.begin(), later.end(), pieces[1].begin() + 20));
}

TEST("fragments: a fragment is cut again under its own identification, in its own place") {
  const Packet payload = counting(4'000);
  std::vector<Packet> pieces;
  for (const Packet& first : fragments_of(v4_packet(payload), 1'420, 77)) {
    for (Packet& piece : fragments_of(first, 1'220, 99)) pieces.push_back(std::move(piece));
  }
  EXPECT_EQ(load_be16(&pieces[0][4]), 77);
  EXPECT(reassembled(pieces) == payload);
}

TEST("fragments: of IPv6 make the datagram again") {
  for (const size_t limit : {1'200u, 1'292u, 1'372u}) {
    const Packet payload = counting(1'380);
    const auto pieces = fragments_of(v6_packet(payload), limit);
    EXPECT_EQ(pieces.size(), size_t{2});
    EXPECT(reassembled(pieces) == payload);
    for (const Packet& piece : pieces) {
      EXPECT_EQ(piece[40], 17);
      EXPECT_EQ(load_be32(&piece[44]), 0x1234'5678u);
    }
  }
}

TEST("fragments: of IPv6 repeat the headers up to the routing header and cut what is behind") {
  // Hop-by-hop, destination options, routing: repeated. Destination options behind it: cut.
  const Packet repeated = joined({extension(60, 1), extension(43), extension(60)});
  const Packet cut = joined({extension(17), counting(1'300)});
  const auto pieces = fragments_of(v6_packet(cut, 0, repeated), 1'200);
  EXPECT_EQ(pieces.size(), size_t{2});
  EXPECT(reassembled(pieces) == cut);
  for (const Packet& piece : pieces) {
    EXPECT_EQ(piece[6], 0);
    EXPECT_EQ(piece[40 + 16 + 8], 44);       // the routing header names the fragment header
    EXPECT_EQ(piece[40 + repeated.size()], 60);  // which names what is cut
  }
}

TEST("fragments: an IPv6 fragment is cut again under its own identification") {
  const Packet payload = counting(4'000);
  std::vector<Packet> pieces;
  for (const Packet& first : fragments_of(v6_packet(payload), 1'416, 77)) {
    for (Packet& piece : fragments_of(first, 1'200, 99)) pieces.push_back(std::move(piece));
  }
  EXPECT_EQ(load_be32(&pieces[0][44]), 77u);
  EXPECT(reassembled(pieces) == payload);
}

TEST("fragments: bytes behind the packet are not part of it") {
  const Packet payload = counting(1'300);
  for (Packet packet : {v4_packet(payload), v6_packet(payload)}) {
    packet.resize(packet.size() + 12, 0xff);
    EXPECT(reassembled(fragments_of(packet, 1'200)) == payload);
  }
}

TEST("fragments: none of what has broken headers or no room") {
  EXPECT(fragments_of({}, 1'200).empty());
  Packet ping_of_death = v4_packet(counting(1'380));
  store_be16(&ping_of_death[6], 0x1fff);
  EXPECT(fragments_of(ping_of_death, 1'220).empty());
  Packet short_header = v4_packet(counting(1'380));
  short_header[0] = 0x44;
  EXPECT(fragments_of(short_header, 1'220).empty());
  EXPECT(fragments_of(v4_packet(counting(100)), 27).empty());
  EXPECT(fragments_of(v4_packet(counting(100)), 10).empty());
  EXPECT(fragments_of(v6_packet(counting(100)), 55).empty());
  Packet beyond = extension(17, 255);
  beyond.resize(1'300);
  EXPECT(fragments_of(v6_packet({}, 0, beyond), 1'200).empty());
  EXPECT(fragments_of(v6_packet(Packet(1'300), 44), 44).empty());
  const Packet cut_off = {17, 0, 0, 0};
  EXPECT(fragments_of(v6_packet(cut_off, 44), 40).empty());
}
