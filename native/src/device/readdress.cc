#include "readdress.h"

namespace wg {
namespace {

constexpr size_t udp_header_size = 8, udp_checksum_at = 6, max_datagram = 65'535;
constexpr uint16_t more_fragments_bit = 0x2000;

/// Offsets within the IPv4 header (RFC 791, section 3.1).
namespace at {
constexpr size_t total_length = 2, fragment = 6, checksum = 10, source = 12, destination = 16;
}

uint32_t halves(uint32_t address) { return (address >> 16) + (address & 0xffff); }

/// A UDP checksum of zero means none, so a computed zero is sent as all ones (RFC 768).
uint16_t as_sent(uint16_t computed) { return computed == 0 ? 0xffff : computed; }

/// The checksum of the UDP datagram whose first bytes are the packet's body, with new addresses.
uint16_t readdressed_checksum(const Ipv4Packet& packet, uint32_t source, uint32_t destination) {
  const uint16_t present = load_be16(packet.body.data() + udp_checksum_at);
  if (present == 0) return 0;
  if (!packet.is_fragment()) {
    const uint32_t pseudo = halves(source) + halves(destination) + ip_protocol_udp + static_cast<uint32_t>(packet.body.size());
    // The checksum field counts as zero.
    return as_sent(internet_checksum(internet_sum(packet.body, pseudo) + (0xffffu - present)));
  }
  const uint16_t removed = internet_checksum(halves(packet.source) + halves(packet.destination));
  return as_sent(internet_checksum((0xffffu - present) + removed + halves(source) + halves(destination)));
}

}  // namespace

void readdress(const Ipv4Packet& packet, uint32_t source, uint32_t destination, ByteSpan space,
               const std::function<void(ByteView)>& emit) {
  const bool has_udp_header = packet.is_first();
  if (packet.protocol != ip_protocol_udp || (has_udp_header && packet.body.size() < udp_header_size)) return;
  // No datagram is longer (RFC 791, section 3.1): beyond, offsets would run over.
  if (packet.offset + packet.body.size() > max_datagram) return;
  const size_t header = packet.header.size();
  if (space.size() < header + udp_header_size) return;
  const size_t most = (space.size() - header) & ~size_t{7};
  // Of equal length: a short last one would pass the others on its way, and a filter knows a datagram by its first.
  const size_t parts = packet.body.size() <= space.size() - header ? 1 : (packet.body.size() + most - 1) / most;
  const size_t each = parts == 1 ? packet.body.size() : ((packet.body.size() + parts - 1) / parts + 7) & ~size_t{7};

  for (size_t done = 0; done < packet.body.size();) {
    const size_t left = packet.body.size() - done;
    const size_t take = std::min(left, each);
    uint8_t* out = space.data();
    copy_bytes(packet.header, out);
    copy_bytes(packet.body.subspan(done, take), out + header);
    if (done == 0 && has_udp_header) store_be16(out + header + udp_checksum_at, readdressed_checksum(packet, source, destination));
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
