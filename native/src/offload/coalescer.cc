#include "coalescer.h"

#include "checksum.h"

namespace wg::offload {
namespace {

constexpr size_t ip4_header = 20, ip6_header = 40, tcp_header = 20, udp_header = 8;
constexpr uint8_t tcp_psh = 0x08, tcp_ack = 0x10, tcp_ece = 0x40;

bool is_v4(ByteView packet) { return packet[0] >> 4 == 4; }

bool equal_range(const uint8_t* a, const uint8_t* b, size_t from, size_t to) {
  return std::memcmp(a + from, b + from, to - from) == 0;
}

// Everything of the IP header that a frame has only once, and that is not the flow's address.
bool same_ip(const uint8_t* a, const uint8_t* b) {
  if (a[0] >> 4 == 6) return equal_range(a, b, 0, 4) && a[7] == b[7];  // class and label; hop limit
  return a[1] == b[1] && a[6] == b[6] && a[8] == b[8];                 // service, DF, time to live
}

}  // namespace

// Nothing when the packet cannot be part of a frame: then it passes alone.
std::optional<Coalescer::Packet> Coalescer::parse(ByteSpan packet) const {
  const bool v4 = is_v4(packet);
  const size_t transport = v4 ? ip4_header : ip6_header;
  if (packet.size() < transport + udp_header) return std::nullopt;
  if (v4 && (packet[0] != 0x45 || (load_be16(&packet[6]) & 0x3fff) != 0)) return std::nullopt;  // options, fragments
  const uint8_t protocol = packet[v4 ? 9 : 6];
  const uint8_t* head = &packet[transport];
  if (protocol == protocol_tcp && joins_tcp_) {
    if (packet.size() < transport + tcp_header) return std::nullopt;
    const size_t own = size_t{head[12]} >> 4 << 2;
    const bool plain = (head[13] & ~(tcp_psh | tcp_ece)) == tcp_ack;
    if (own < tcp_header || packet.size() <= transport + own || !plain) return std::nullopt;
    return Packet{packet, Kind::tcp, transport, transport + own};
  }
  if (protocol == protocol_udp && joins_udp_) {
    const bool whole = load_be16(head + 4) == packet.size() - transport && packet.size() > transport + udp_header;
    if (!whole || load_be16(head + 6) == 0) return std::nullopt;  // a frame has a checksum: one without stays without
    return Packet{packet, Kind::udp, transport, transport + udp_header};
  }
  return std::nullopt;
}

bool Coalescer::same_hosts(ByteView a, ByteView b) {
  if (is_v4(a) != is_v4(b)) return false;
  return is_v4(a) ? equal_range(a.data(), b.data(), 12, 20) : equal_range(a.data(), b.data(), 8, 40);
}

bool Coalescer::same_flow(const Packet& a, const Packet& b) {
  return a.kind == b.kind && same_hosts(a.bytes, b.bytes) &&
         equal_range(a.at(a.transport), b.at(b.transport), 0, 4);
}

// Whether a packet of the bundle's flow is its next segment.
bool Coalescer::follows(const Bundle& bundle, const Packet& packet) {
  const Packet& first = bundle.first;
  if (bundle.ended || bundle.count == max_packets || packet.headers != first.headers) return false;
  if (packet.payload() > first.payload() || bundle.length + packet.payload() > max_frame) return false;
  if (!same_ip(first.at(0), packet.at(0))) return false;
  // Without DF a packet may be fragmented later: its id must be the one that the host would give it.
  const bool v4 = is_v4(packet.bytes);
  if (v4 && (packet.bytes[6] & 0x40) == 0 && load_be16(packet.at(4)) != bundle.next_id) return false;
  if (packet.kind == Kind::udp) return true;
  const uint8_t *a = first.at(first.transport), *b = packet.at(packet.transport);
  const auto expected = static_cast<uint32_t>(load_be32(a + 4) + bundle.length - first.headers);
  // Acknowledgement and data offset, ECE, window, urgent pointer, options.
  return load_be32(b + 4) == expected && equal_range(a, b, 8, 13) && ((a[13] ^ b[13]) & ~tcp_psh) == 0 &&
         equal_range(a, b, 14, 16) && equal_range(a, b, 18, first.headers - first.transport);
}

void Coalescer::join(Bundle& bundle, const Packet& packet) {
  bundle.parts[bundle.count] = bundle.count == 0 ? ByteView(packet.bytes) : packet.bytes.subspan(packet.headers);
  bundle.count++;
  bundle.length += packet.payload();
  bundle.next_id++;
  const bool pushed = packet.kind == Kind::tcp && (packet.bytes[packet.transport + 13] & tcp_psh) != 0;
  if (pushed) bundle.first.bytes[bundle.first.transport + 13] |= tcp_psh;
  bundle.ended = pushed || packet.payload() < bundle.first.payload();
}

void Coalescer::open(const Packet& packet) {
  if (open_ == max_flows) close(0);
  Bundle& bundle = bundles_[order_[open_++]];
  bundle.first = packet;
  bundle.count = 0;
  bundle.length = packet.headers;
  bundle.next_id = is_v4(packet.bytes) ? load_be16(packet.at(4)) : 0;
  join(bundle, packet);
}

void Coalescer::add(ByteSpan bytes) {
  const auto packet = parse(bytes);
  for (size_t i = 0; i < open_; i++) {
    Bundle& bundle = bundles_[order_[i]];
    if (packet && same_flow(bundle.first, *packet)) {
      if (follows(bundle, *packet)) return join(bundle, *packet);
      close(i);
      break;
    }
    // A fragment or a closing segment has no place in a frame, but one in its flow.
    if (!packet && same_hosts(bundle.first.bytes, bytes)) close(i--);
  }
  if (packet) {
    open(*packet);
  } else {
    pass(bytes);
  }
}

void Coalescer::flush() {
  while (open_ > 0) close(0);
}

void Coalescer::pass(ByteView packet) { sink_({{}, std::span(&packet, 1)}); }

void Coalescer::close(size_t index) {
  const uint8_t which = order_[index];
  std::copy(order_.begin() + index + 1, order_.begin() + open_, order_.begin() + index);
  order_[--open_] = which;
  const Bundle& bundle = bundles_[which];
  const Packet& first = bundle.first;
  if (bundle.count == 1) return pass(first.bytes);

  uint8_t* ip = first.at(0);
  uint8_t* transport = first.at(first.transport);
  const size_t length = bundle.length - first.transport;
  const bool tcp = first.kind == Kind::tcp;
  if (is_v4(first.bytes)) {
    store_be16(ip + 2, static_cast<uint16_t>(bundle.length));
    store_be16(ip + 10, 0);
    store_checksum(ip + 10, add_sum({ip, ip4_header}, 0));
  } else {
    store_be16(ip + 4, static_cast<uint16_t>(length));
  }
  if (!tcp) store_be16(transport + 4, static_cast<uint16_t>(length));
  // The tag vouches for the payload: the host need not sum it (kernel WireGuard does the same).
  const uint16_t field = tcp ? 16 : 6;
  store_sum(transport + field, pseudo_sum(ip, tcp ? protocol_tcp : protocol_udp, length));
  const auto segment = static_cast<uint16_t>(first.payload());
  sink_({{first.kind, segment, static_cast<uint16_t>(first.transport), field}, std::span(bundle.parts).first(bundle.count)});
}

}  // namespace wg::offload
