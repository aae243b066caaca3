// New addresses for a captured broadcast: checksums right, ports kept, cut where the tunnel is narrower.
#include "../src/device/readdress.h"

#include <vector>

#include "check.h"

using namespace wg;

namespace {

constexpr uint32_t home = 0xc0a80105, home_broadcast = 0xc0a801ff, us = 0x0a400001, room = 0x0a400fff;

uint32_t pseudo_sum(uint32_t source, uint32_t destination, size_t length) {
  return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) + ip_protocol_udp +
         static_cast<uint32_t>(length);
}

std::vector<uint8_t> datagram(size_t payload) {
  std::vector<uint8_t> out(28 + payload);
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<uint16_t>(out.size()));
  store_be16(out.data() + 4, 0x1234);
  store_be16(out.data() + 6, 0x4000);
  out[8] = 64;
  out[9] = ip_protocol_udp;
  store_be32(out.data() + 12, home);
  store_be32(out.data() + 16, home_broadcast);
  store_be16(out.data() + 20, 3979);
  store_be16(out.data() + 22, 3978);
  store_be16(out.data() + 24, static_cast<uint16_t>(8 + payload));
  for (size_t i = 0; i < payload; i++) out[28 + i] = static_cast<uint8_t>(i * 7);
  const ByteView udp = ByteView(out).subspan(20);
  store_be16(out.data() + 26, internet_checksum(internet_sum(udp, pseudo_sum(home, home_broadcast, udp.size()))));
  return out;
}

std::vector<std::vector<uint8_t>> readdressed(const std::vector<uint8_t>& packet, size_t mtu = 1'420,
                                              uint32_t source = us, uint32_t destination = room) {
  std::vector<std::vector<uint8_t>> out;
  std::vector<uint8_t> space(mtu);
  readdress(*Ipv4Packet::parse(packet), source, destination, space,
            [&](ByteView made) { out.emplace_back(made.begin(), made.end()); });
  return out;
}

/// The checksum over the datagram that these packets carry.
uint16_t checksum_of(const std::vector<std::vector<uint8_t>>& packets) {
  std::vector<uint8_t> udp;
  for (const auto& packet : packets) {
    const auto parsed = Ipv4Packet::parse(packet);
    EXPECT(parsed && parsed->offset == udp.size());
    EXPECT_EQ(internet_checksum(internet_sum(parsed->header)), 0);
    udp.insert(udp.end(), parsed->body.begin(), parsed->body.end());
  }
  return internet_checksum(internet_sum(udp, pseudo_sum(us, room, udp.size())));
}

}  // namespace

TEST("a captured broadcast gets our address and the room's broadcast, and keeps ports and payload") {
  const auto packet = datagram(33);
  const auto made = readdressed(packet);
  EXPECT_EQ(made.size(), 1u);
  const auto parsed = Ipv4Packet::parse(made[0]);
  EXPECT(parsed && parsed->source == us && parsed->destination == room);
  const auto udp = UdpHeader::parse(*parsed);
  EXPECT(udp && udp->source_port == 3979 && udp->destination_port == 3978);
  EXPECT(std::ranges::equal(udp->payload, ByteView(packet).subspan(28)));
  EXPECT_EQ(checksum_of(made), 0);
}

TEST("a checksum that the network card was to compute is computed") {
  auto packet = datagram(33);
  packet[26] ^= 0x55;
  EXPECT_EQ(checksum_of(readdressed(packet)), 0);
}

TEST("no checksum stays none") {
  auto packet = datagram(33);
  store_be16(packet.data() + 26, 0);
  EXPECT_EQ(load_be16(readdressed(packet)[0].data() + 26), 0);
}

TEST("what is longer than the tunnel's MTU is cut, and the parts make the whole") {
  const auto made = readdressed(datagram(1'472));
  EXPECT_EQ(made.size(), 2u);
  EXPECT(made[0].size() <= 1'420 && Ipv4Packet::parse(made[0])->more_fragments);
  EXPECT(!Ipv4Packet::parse(made[1])->more_fragments);
  EXPECT_EQ(Ipv4Packet::parse(made[0])->id, Ipv4Packet::parse(made[1])->id);
  EXPECT_EQ(checksum_of(made), 0);
}

TEST("fragments are readdressed one by one, and the checksum in the first fits the new addresses") {
  const auto captured = readdressed(datagram(1'472), 800, home, home_broadcast);
  EXPECT_EQ(captured.size(), 2u);
  std::vector<std::vector<uint8_t>> made;
  for (const auto& part : captured) made.push_back(readdressed(part)[0]);
  EXPECT_EQ(checksum_of(made), 0);
}
