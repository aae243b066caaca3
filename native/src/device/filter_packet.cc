#include "filter_packet.h"

namespace wg {
namespace {

/// IPv6 extension headers that are walked before the packet is refused; real ones have one or two.
constexpr int max_extensions = 8;

/// RFC 8200, section 4, and RFC 4302.
namespace extension {
constexpr uint8_t hop_by_hop = 0, routing = 43, fragment = 44, authentication = 51, destination = 60;
}

/// The IP header: where the payload begins, and how it is fragmented.
struct Layer3 {
  bool v4;
  uint8_t protocol;
  ByteView source, destination, payload;
  bool fragmented = false;
  uint32_t fragment_id = 0;
  /// In units of 8 bytes.
  uint16_t fragment_offset = 0;
};

std::optional<Layer3> parse_v4(ByteView packet) {
  const size_t header = static_cast<size_t>(packet[0] & 15) * 4;
  if (header < 20 || header > packet.size()) return std::nullopt;
  const uint16_t field = load_be16(packet.data() + 6);
  Layer3 out{true, packet[9], packet.subspan(12, 4), packet.subspan(16, 4), packet.subspan(header)};
  out.fragment_offset = field & 0x1fff;
  out.fragmented = (field & 0x3fff) != 0;
  out.fragment_id = load_be16(packet.data() + 4);
  return out;
}

std::optional<Layer3> parse_v6(ByteView packet) {
  Layer3 out{false, packet[6], packet.subspan(8, 16), packet.subspan(24, 16), packet.subspan(40)};
  for (int seen = 0; seen < max_extensions; seen++) {
    const uint8_t type = out.protocol;
    const bool known = type == extension::hop_by_hop || type == extension::routing || type == extension::fragment ||
                       type == extension::authentication || type == extension::destination;
    if (!known) return out;
    if (out.payload.size() < 8) return std::nullopt;
    size_t length = (size_t{out.payload[1]} + 1) * 8;
    if (type == extension::authentication) length = (size_t{out.payload[1]} + 2) * 4;
    if (type == extension::fragment) {
      length = 8;
      const uint16_t field = load_be16(out.payload.data() + 2);
      out.fragment_offset = field >> 3;
      out.fragmented = (field & ~uint16_t{6}) != 0;
      out.fragment_id = load_be32(out.payload.data() + 4);
    }
    if (length > out.payload.size()) return std::nullopt;
    out.protocol = out.payload[0];
    out.payload = out.payload.subspan(length);
    // What follows in a later fragment is data, not headers.
    if (out.fragment_offset > 0) return out;
  }
  return std::nullopt;
}

std::optional<Layer3> parse_ip(ByteView packet) {
  if (packet.size() >= 20 && packet[0] >> 4 == 4) return parse_v4(packet);
  if (packet.size() >= 40 && packet[0] >> 4 == 6) return parse_v6(packet);
  return std::nullopt;
}

uint64_t load_be64(const uint8_t* p) { return (uint64_t{load_be32(p)} << 32) | load_be32(p + 4); }

FlowKey key_of(const Layer3& ip, Direction direction, uint64_t rest) {
  const bool out = direction == Direction::from_host;
  const ByteView local = out ? ip.source : ip.destination, remote = out ? ip.destination : ip.source;
  FlowKey key;
  if (ip.v4) {
    key.words = {load_be32(local.data()), 0, load_be32(remote.data()), 0, 0};
  } else {
    key.words = {load_be64(local.data()), load_be64(local.data() + 8), load_be64(remote.data()),
                 load_be64(remote.data() + 8), 0};
  }
  key.words[4] = rest << 16 | uint64_t{ip.protocol} << 8 | (ip.v4 ? 1 : 0);
  return key;
}

uint64_t ports(uint16_t local, uint16_t remote) { return uint64_t{local} << 16 | remote; }

/// Which end asked decides where the identifier of an echo goes, so that the two directions are two flows.
FlowKey echo_key(const Layer3& ip, Direction direction, bool request) {
  const bool ours = (direction == Direction::from_host) == request;
  const uint16_t id = load_be16(ip.payload.data() + 4);
  return key_of(ip, direction, ours ? ports(id, 0) : ports(0, id));
}

bool is_icmp(const Layer3& ip) { return ip.protocol == (ip.v4 ? ip_protocol::icmp : ip_protocol::icmp6); }

/// RFC 792 and RFC 4443.
PacketKind icmp_kind(bool v4, uint8_t type) {
  if (type == (v4 ? 8 : 128)) return PacketKind::echo_request;
  if (type == (v4 ? 0 : 129)) return PacketKind::echo_reply;
  const bool error = v4 ? type == 3 || type == 4 || type == 11 || type == 12 : type >= 1 && type <= 4;
  return error ? PacketKind::icmp_error : PacketKind::icmp_other;
}

bool read_ports(PacketView& view, const Layer3& ip, Direction direction) {
  if (ip.payload.size() < 4) return false;
  const uint16_t first = load_be16(ip.payload.data()), second = load_be16(ip.payload.data() + 2);
  const bool out = direction == Direction::from_host;
  view.local_port = out ? first : second;
  view.remote_port = out ? second : first;
  view.flow = key_of(ip, direction, ports(view.local_port, view.remote_port));
  return true;
}

/// The transport header of a whole packet or first fragment.
bool read_transport(PacketView& view, const Layer3& ip, Direction direction) {
  if (ip.protocol == ip_protocol::tcp) {
    view.kind = PacketKind::tcp;
    if (ip.payload.size() < 20) return false;
    view.tcp_flags = ip.payload[13];
    return read_ports(view, ip, direction);
  }
  if (ip.protocol == ip_protocol::udp) {
    view.kind = PacketKind::udp;
    return ip.payload.size() >= 8 && read_ports(view, ip, direction);
  }
  if (is_icmp(ip)) {
    if (ip.payload.size() < 8) return false;
    view.kind = icmp_kind(ip.v4, ip.payload[0]);
    view.flow = echo_key(ip, direction, view.kind == PacketKind::echo_request);
    if (view.kind == PacketKind::icmp_error) view.quoted = ip.payload.subspan(8);
    return true;
  }
  view.flow = key_of(ip, direction, 0);
  return true;
}

}  // namespace

std::optional<PacketView> PacketView::parse(ByteView packet, Direction direction) {
  const auto ip = parse_ip(packet);
  if (!ip) return std::nullopt;
  PacketView out{};
  out.kind = PacketKind::other;
  out.v4 = ip->v4;
  out.protocol = ip->protocol;
  out.destination = ip->destination;
  if (ip->fragmented) out.datagram = key_of(*ip, direction, uint64_t{1} << 40 | ip->fragment_id);
  if (ip->fragment_offset > 0) {
    // The second 8 bytes of a TCP header hold its flags: nobody cuts there but to change them.
    if (ip->protocol == ip_protocol::tcp && ip->fragment_offset == 1) return std::nullopt;
    out.kind = PacketKind::fragment;
    return out;
  }
  if (!read_transport(out, *ip, direction)) return std::nullopt;
  return out;
}

std::optional<FlowKey> PacketView::quoted_flow(ByteView packet, Direction direction) {
  const auto ip = parse_ip(packet);
  if (!ip || ip->fragment_offset > 0) return std::nullopt;
  if (ip->protocol == ip_protocol::tcp || ip->protocol == ip_protocol::udp) {
    PacketView out{};
    if (!read_ports(out, *ip, direction)) return std::nullopt;
    return out.flow;
  }
  if (is_icmp(*ip)) {
    if (ip->payload.size() < 8) return std::nullopt;
    return echo_key(*ip, direction, icmp_kind(ip->v4, ip->payload[0]) == PacketKind::echo_request);
  }
  return key_of(*ip, direction, 0);
}

FlowKey PacketView::any_remote() const {
  // Any own address too: a search leaves from the address that the answer comes to, but a host has several.
  FlowKey key;
  key.words[4] = uint64_t{1} << 63 | uint64_t{local_port} << 32 | uint64_t{protocol} << 8 | (v4 ? 1 : 0);
  return key;
}

}  // namespace wg
