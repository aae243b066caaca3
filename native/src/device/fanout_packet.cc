#include "fanout_packet.h"

namespace wg {
namespace {

constexpr size_t udp_header_size = 8;
constexpr uint16_t more_fragments_bit = 0x2000;
constexpr uint16_t offset_mask = 0x1fff;  // of 8-byte units

/// Offsets within the IPv4 header (RFC 791, section 3.1).
namespace at {
constexpr size_t total_length = 2, id = 4, fragment = 6, protocol = 9, source = 12, destination = 16;
}

uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace

std::optional<Ipv4Packet> Ipv4Packet::parse(ByteView packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4) return std::nullopt;
  const size_t header = static_cast<size_t>(packet[0] & 15) * 4;
  const size_t total = load_be16(packet.data() + at::total_length);
  if (header < 20 || total < header || total > packet.size()) return std::nullopt;
  const uint16_t fragment = load_be16(packet.data() + at::fragment);
  return Ipv4Packet{
      .source = load_be32(packet.data() + at::source),
      .destination = load_be32(packet.data() + at::destination),
      .protocol = packet[at::protocol],
      .id = load_be16(packet.data() + at::id),
      .offset = static_cast<uint16_t>((fragment & offset_mask) * 8),
      .more_fragments = (fragment & more_fragments_bit) != 0,
      .header = packet.first(header),
      .body = packet.subspan(header, total - header),
  };
}

std::optional<UdpHeader> UdpHeader::parse(const Ipv4Packet& packet) {
  if (packet.protocol != ip_protocol_udp || !packet.is_first() || packet.body.size() < udp_header_size) return std::nullopt;
  const uint8_t* udp = packet.body.data();
  return UdpHeader{load_be16(udp), load_be16(udp + 2), packet.body.subspan(udp_header_size)};
}

uint32_t internet_sum(ByteView bytes, uint32_t sum) {
  size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  if (i < bytes.size()) sum += static_cast<uint32_t>(bytes[i]) << 8;
  return sum;
}

uint16_t internet_checksum(uint32_t sum) { return static_cast<uint16_t>(~folded(sum)); }

}  // namespace wg
