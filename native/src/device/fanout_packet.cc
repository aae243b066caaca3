#include "fanout_packet.h"

namespace wg {
namespace {

constexpr size_t udp_header_size = 8;
constexpr uint16_t more_fragments_bit = 0x2000;
constexpr uint16_t offset_mask = 0x1fff;  // of 8-byte units

/// Offsets within the IPv4 header (RFC 791, section 3.1).
namespace at {
constexpr size_t total_length = 2, id = 4, fragment = 6, protocol = 9, checksum = 10, source = 12, destination = 16;
}

uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

uint32_t halves(uint32_t address) { return (address >> 16) + (address & 0xffff); }

/// A UDP checksum of zero means none, so a computed zero is sent as all ones (RFC 768).
uint16_t udp_checksum(uint16_t computed) { return computed == 0 ? 0xffff : computed; }

/// The checksum of the UDP datagram whose first bytes are `udp`, with new addresses.
uint16_t readdressed_checksum(const Ipv4Packet& packet, uint32_t source, uint32_t destination) {
  const uint16_t present = load_be16(packet.body.data() + 6);
  if (present == 0) return 0;
  if (!packet.is_fragment()) {
    const uint32_t pseudo = halves(source) + halves(destination) + ip_protocol_udp + static_cast<uint32_t>(packet.body.size());
    // The checksum field counts as zero.
    return udp_checksum(internet_checksum(internet_sum(packet.body, pseudo) + (0xffffu - present)));
  }
  const uint32_t removed = folded(halves(packet.source) + halves(packet.destination));
  const uint32_t sum = (0xffffu - present) + (0xffffu - removed) + halves(source) + halves(destination);
  return udp_checksum(internet_checksum(sum));
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

void readdress(const Ipv4Packet& packet, uint32_t source, uint32_t destination, ByteSpan space,
               const std::function<void(ByteView)>& emit) {
  const bool has_udp_header = packet.is_first();
  if (packet.protocol != ip_protocol_udp || (has_udp_header && packet.body.size() < udp_header_size)) return;
  const size_t header = packet.header.size();
  if (space.size() < header + udp_header_size) return;
  const size_t most = (space.size() - header) & ~size_t{7};

  for (size_t done = 0; done < packet.body.size();) {
    const size_t left = packet.body.size() - done;
    const size_t take = left <= space.size() - header ? left : most;
    uint8_t* out = space.data();
    std::ranges::copy(packet.header, out);
    std::ranges::copy(packet.body.subspan(done, take), out + header);
    if (done == 0 && has_udp_header) store_be16(out + header + 6, readdressed_checksum(packet, source, destination));
    store_be16(out + at::total_length, static_cast<uint16_t>(header + take));
    const bool more = packet.more_fragments || take < left;
    // Without "don't fragment": what is cut here may be cut again.
    store_be16(out + at::fragment,
               static_cast<uint16_t>((packet.offset + done) / 8 | (more ? more_fragments_bit : 0)));
    store_be32(out + at::source, source);
    store_be32(out + at::destination, destination);
    store_be16(out + at::checksum, 0);
    store_be16(out + at::checksum, internet_checksum(internet_sum(ByteView(space).first(header))));
    emit(ByteView(space).first(header + take));
    done += take;
  }
}

}  // namespace wg
