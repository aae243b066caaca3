#include "fanout.h"

namespace wg {
namespace {

/// Multicast groups by which routers speak with each other; none is a game's.
/// IANA, IPv4 Multicast Address Space Registry, local network control block and 224.0.1.39/40.
bool is_routing_group(uint32_t group) {
  constexpr uint32_t control_block = 0xe0000000;
  if (group >> 8 == control_block >> 8) {
    switch (group & 0xff) {
      case 2:    // all routers
      case 4:    // DVMRP
      case 5:    // OSPF
      case 6:    // OSPF designated routers
      case 9:    // RIP
      case 10:   // EIGRP
      case 13:   // PIM
      case 18:   // VRRP
      case 22:   // IGMPv3 reports
      case 102:  // HSRP
        return true;
      default:
        return false;
    }
  }
  return group == 0xe0000127 || group == 0xe0000128;  // Cisco's rendezvous point announcements
}

/// UDP ports of what runs a network instead of a game: a friend's DHCP server must never answer, a home's names stay home.
bool is_service_port(uint16_t port) {
  switch (port) {
    case 67:    // DHCP
    case 68:
    case 137:   // NetBIOS
    case 138:
    case 520:   // RIP
    case 646:   // LDP
    case 1985:  // HSRP
      return true;
    default:
      return false;
  }
}

/// Shorter than the time after which a game repeats itself: two players' equal packets that met once must not be taken for
/// echoes of each other for ever.
constexpr Nanos echo_pause = 200'000'000;

/// FNV-1a, 64 bits. Not keyed: a collision costs one discovery packet, which its game repeats.
class Hash {
 public:
  Hash& bytes(ByteView data) {
    for (const uint8_t byte : data) value_ = (value_ ^ byte) * 0x100000001b3;
    return *this;
  }
  Hash& number(uint64_t number) {
    for (int i = 0; i < 8; i++) value_ = (value_ ^ (number >> (8 * i) & 0xff)) * 0x100000001b3;
    return *this;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

/// What a relaying program leaves as it is: ports and payload, for later fragments their place and bytes.
uint64_t content_of(const Ipv4Packet& packet) { return Hash().number(packet.offset).bytes(packet.body).value(); }

/// The content without the UDP checksum, which covers the addresses.
uint64_t content_of(const Ipv4Packet& packet, const UdpHeader& udp) {
  return Hash().bytes(packet.body.first(4)).bytes(udp.payload).value();
}

/// Every broadcast counts as one destination: a game that uses both kinds at once asked once.
uint64_t signature_of(uint32_t source, uint32_t destination, uint64_t content, PeerId peer) {
  return Hash().number(source).number(is_multicast(destination) ? destination : 0).number(content).number(peer).value();
}

uint64_t datagram_of(const Ipv4Packet& packet, PeerId peer) {
  return Hash().number(packet.source).number(packet.destination).number(packet.id).number(peer + 1).value();
}

std::optional<Endpoint> endpoint_of(uint32_t address, uint16_t port) {
  const auto part = [address](int shift) { return std::to_string(address >> shift & 0xff); };
  return Endpoint::parse(part(24) + "." + part(16) + "." + part(8) + "." + part(0), port);
}

Event sample_of(const Now& now, PeerId peer, const Ipv4Packet& packet, const UdpHeader& udp) {
  Event event;
  event.type = EventType::discovery;
  event.peer = peer;
  event.from = *endpoint_of(packet.source, udp.source_port);
  event.observed = *endpoint_of(packet.destination, udp.destination_port);
  event.at = now.mono_ms;
  const ByteView head = udp.payload.first(std::min(udp.payload.size(), fanout_sample_bytes));
  event.bytes.assign(head.begin(), head.end());
  return event;
}

}  // namespace

bool TokenBucket::ready(Nanos now) {
  tokens_ = std::min(burst_, tokens_ + a_second_ * static_cast<double>(now - at_) / 1e9);
  at_ = now;
  return tokens_ > 0;
}

bool RecentPackets::seen(uint64_t signature, Nanos now) const {
  const Entry& entry = entries_[signature % entries_.size()];
  return entry.signature == signature && now - entry.at < fanout_duplicate_window;
}

void RecentPackets::add(uint64_t signature, Nanos now) { entries_[signature % entries_.size()] = {signature, now}; }

std::optional<bool> FragmentFates::carried(uint64_t datagram, Nanos now) const {
  const Entry& entry = entries_[datagram % entries_.size()];
  if (entry.datagram != datagram || now - entry.at >= fanout_fragment_window) return std::nullopt;
  return entry.carried;
}

void FragmentFates::note(uint64_t datagram, bool carried, Nanos now) {
  entries_[datagram % entries_.size()] = {datagram, carried, now};
}

bool FanoutGate::may_sample(Nanos now) {
  if (!samples_.ready(now)) return false;
  samples_.spend(1);
  return true;
}

void Fanout::configure(bool enabled, std::optional<uint32_t> directed_broadcast, std::optional<uint32_t> own) {
  enabled_ = enabled;
  if (enabled || directed_broadcast) directed_broadcast_ = directed_broadcast;
  own_ = own;
}

std::optional<FanoutSubnet> Fanout::copies_to() const {
  if (!enabled_ || !directed_broadcast_ || !own_) return std::nullopt;
  return FanoutSubnet{*own_, *directed_broadcast_};
}

FanoutVerdict Fanout::refuse(uint64_t& counter) {
  counter++;
  return FanoutVerdict::refuse;
}

FanoutVerdict Fanout::from_host(const Now& now, ByteView bytes, bool from_member, size_t copies,
                                std::vector<Event>& events) {
  const auto packet = Ipv4Packet::parse(bytes);
  if (!enabled_ || !packet || !addresses_all(packet->destination)) return FanoutVerdict::not_ours;
  if (packet->protocol == ip_protocol_igmp) answer_query(*packet);
  if (packet->protocol != ip_protocol_udp || is_routing_group(packet->destination)) return refuse(counters_.refused);
  if (from_member) return refuse(counters_.loops);
  const uint64_t datagram = datagram_of(*packet, 0);
  if (!packet->is_first()) return fragment_from_host(now, *packet, datagram, copies);

  const auto udp = UdpHeader::parse(*packet);
  if (!udp || is_service_port(udp->destination_port)) {
    fates_.note(datagram, false, now.boot_ns);
    return refuse(counters_.refused);
  }
  const uint64_t content = content_of(*packet, *udp);
  const uint64_t signature = signature_of(packet->source, packet->destination, content, 0);
  // A second copy of a fragmented datagram leaves the first one's fragments alone: each of those is compared by itself.
  if (sent_.seen(signature, now.boot_ns)) {
    if (!fates_.carried(datagram, now.boot_ns)) fates_.note(datagram, false, now.boot_ns);
    return refuse(counters_.duplicates);
  }
  const bool echo = received_.seen(content, now.boot_ns);
  // A program that hears its own echo never stops: it stays known for as long as it goes on without a pause.
  if (echo) received_.add(content, now.boot_ns + echo_pause - fanout_duplicate_window);
  const bool carried = !echo && host_.ready(now.boot_ns);
  fates_.note(datagram, carried, now.boot_ns);
  if (!carried) return refuse(echo ? counters_.loops : counters_.rate_limited);
  sent_.add(signature, now.boot_ns);
  host_.spend(packet->size() * copies);
  counters_.sent++;
  counters_.copies += copies;
  if (host_.may_sample(now.boot_ns)) events.push_back(sample_of(now, 0, *packet, *udp));
  return FanoutVerdict::carry;
}

FanoutVerdict Fanout::fragment_from_host(const Now& now, const Ipv4Packet& packet, uint64_t datagram, size_t copies) {
  const auto fate = fates_.carried(datagram, now.boot_ns);
  // One that came before its first fragment pays for itself.
  if (fate ? !*fate : !host_.ready(now.boot_ns)) return refuse(counters_.rate_limited);
  const uint64_t signature = signature_of(packet.source, packet.destination, content_of(packet), 0);
  if (sent_.seen(signature, now.boot_ns)) return refuse(counters_.duplicates);
  sent_.add(signature, now.boot_ns);
  host_.spend_bytes(packet.size() * copies);
  counters_.copies += copies;
  return FanoutVerdict::carry;
}

FanoutVerdict Fanout::from_peer(const Now& now, PeerId peer, FanoutGate& gate, ByteView bytes,
                                std::vector<Event>& events) {
  const auto packet = Ipv4Packet::parse(bytes);
  if (!packet || !addresses_all(packet->destination)) return FanoutVerdict::not_ours;
  const auto drop = [&](uint64_t& counter) {
    gate.dropped++;
    return refuse(counter);
  };
  if (!enabled_ || packet->protocol != ip_protocol_udp || is_routing_group(packet->destination)) {
    return drop(counters_.refused);
  }
  const uint64_t datagram = datagram_of(*packet, peer);
  const auto fate = packet->is_first() ? std::nullopt : fates_.carried(datagram, now.boot_ns);
  // Before anything is hashed: a flood costs little.
  if (fate ? !*fate : !gate.ready(now.boot_ns)) {
    if (packet->is_first()) fates_.note(datagram, false, now.boot_ns);
    return drop(counters_.rate_limited);
  }
  const auto udp = UdpHeader::parse(*packet);
  if (packet->is_first() && (!udp || is_service_port(udp->destination_port))) {
    fates_.note(datagram, false, now.boot_ns);
    return drop(counters_.refused);
  }
  const uint64_t content = udp ? content_of(*packet, *udp) : content_of(*packet);
  const uint64_t signature = signature_of(packet->source, packet->destination, content, peer);
  if (delivered_.seen(signature, now.boot_ns)) return drop(counters_.duplicates);
  delivered_.add(signature, now.boot_ns);
  if (fate) {
    gate.spend_bytes(packet->size());
  } else {
    gate.spend(packet->size());
  }
  if (udp) {
    if (packet->is_fragment()) fates_.note(datagram, true, now.boot_ns);
    received_.add(content, now.boot_ns);
    gate.carried++;
    counters_.received++;
    if (gate.may_sample(now.boot_ns)) events.push_back(sample_of(now, peer, *packet, *udp));
  }
  return FanoutVerdict::carry;
}

// RFC 2236: a query is type 0x11, 8 bytes or longer (RFC 3376). A group is wanted by everybody; a general query is not
// answered, since nothing in the room depends on it.
void Fanout::answer_query(const Ipv4Packet& packet) {
  constexpr uint8_t query = 0x11, report = 0x16;
  constexpr size_t waiting = 16;
  if (packet.body.size() < 8 || packet.body[0] != query || answers_.size() >= waiting) return;
  const uint32_t group = load_be32(packet.body.data() + 4);
  if (!is_multicast(group) || is_routing_group(group)) return;
  std::vector<uint8_t> out(28);
  out[0] = 0x45;
  out[3] = 28;
  out[8] = 1;  // never further than this host
  out[9] = ip_protocol_igmp;
  // Source 0.0.0.0: RFC 3376, section 4.2.13.
  store_be32(out.data() + 16, group);
  store_be16(out.data() + 10, internet_checksum(internet_sum(ByteView(out).first(20))));
  out[20] = report;
  store_be32(out.data() + 24, group);
  store_be16(out.data() + 22, internet_checksum(internet_sum(ByteView(out).subspan(20))));
  answers_.push_back(std::move(out));
}

}  // namespace wg
