#include "filter.h"

namespace wg {
namespace {

constexpr Nanos second = 1'000'000'000;

/// RFC 4787, REQ-5: at least two minutes; games pause in menus.
constexpr Nanos udp_timeout = 300 * second;
/// RFC 5382, REQ-5: established connections live 2 h 4 min of silence, those that open or close 4 min.
constexpr Nanos tcp_timeout = (2 * 60 + 4) * 60 * second;
constexpr Nanos tcp_transitory_timeout = 240 * second;
/// After a reset only what was under way is expected.
constexpr Nanos tcp_reset_timeout = 10 * second;
/// RFC 5508, REQ-2.
constexpr Nanos echo_timeout = 60 * second;
/// Answers to a broadcast come at once; lists are refreshed by searching again.
constexpr Nanos search_timeout = 60 * second;
/// RFC 8200, section 4.5: reassembly gives up after a minute; Linux after 30 s.
constexpr Nanos fragment_timeout = 30 * second;
/// Searches from well-known ports (NetBIOS among them) are the system's, and open nothing.
constexpr uint16_t first_search_port = 1'024;

Nanos timeout_of(const PacketView& view, const Flow& flow) {
  switch (view.kind) {
    case PacketKind::tcp:
      if (flow.reset) return tcp_reset_timeout;
      return !flow.answered || (flow.host_fin && flow.peer_fin) ? tcp_transitory_timeout : tcp_timeout;
    case PacketKind::echo_request:
    case PacketKind::echo_reply:
      return echo_timeout;
    default:
      return udp_timeout;
  }
}

/// Notes what a packet says about its flow. `answer`: it goes against the direction in which the flow began.
void follow(Flow& flow, const PacketView& view, Direction direction, bool answer, Nanos now) {
  if (answer) flow.answered = true;
  if (view.kind == PacketKind::tcp) {
    if (view.tcp_flags & tcp_flag::fin) (direction == Direction::from_host ? flow.host_fin : flow.peer_fin) = true;
    if (view.tcp_flags & tcp_flag::rst) flow.reset = true;
  }
  flow.expires = now + timeout_of(view, flow);
}

/// A connection's first segment.
bool opens(const PacketView& view) {
  return view.kind == PacketKind::tcp && (view.tcp_flags & (tcp_flag::syn | tcp_flag::ack | tcp_flag::rst)) == tcp_flag::syn;
}

/// ICMP about something else, and parts: they begin nothing and prolong nothing.
bool has_no_flow(const PacketView& view) {
  return view.kind == PacketKind::icmp_error || view.kind == PacketKind::icmp_other || view.kind == PacketKind::fragment;
}

/// What the host sends only in answer to something.
bool only_answers(const PacketView& view) {
  if (view.kind == PacketKind::echo_reply) return true;
  if (view.kind != PacketKind::tcp) return false;
  const bool both = (view.tcp_flags & tcp_flag::syn) && (view.tcp_flags & tcp_flag::ack);
  return both || (view.tcp_flags & tcp_flag::rst);
}

bool covers(const Prefix& prefix, const PacketView& view) {
  if (prefix.v4 != view.v4) return false;
  for (size_t bit = 0; bit < prefix.length; bit++) {
    const uint8_t mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    if ((prefix.address[bit / 8] ^ view.destination[bit / 8]) & mask) return false;
  }
  return true;
}

bool matches(const FilterRule& rule, const PacketView& view) {
  const bool echo = view.kind == PacketKind::echo_request;
  if (rule.protocol && *rule.protocol != (echo ? ip_protocol::icmp : view.protocol)) return false;
  if (rule.ports.empty()) return true;
  if (view.kind != PacketKind::tcp && view.kind != PacketKind::udp) return false;
  return std::ranges::any_of(rule.ports, [&view](const PortRange& range) {
    return range.low <= view.local_port && view.local_port <= range.high;
  });
}

}  // namespace

void Filter::from_host(PeerFilter& peer, ByteView packet, Nanos now) const {
  if (!options_) return;
  const auto view = PacketView::parse(packet, Direction::from_host);
  if (!view || has_no_flow(*view)) return;
  if (is_group(*view)) {
    if (view->kind != PacketKind::udp || view->local_port < first_search_port) return;
    const FlowKey key = view->any_remote();
    Flow* search = peer.ours.find(key, now, seed_);
    (search ? *search : peer.ours.insert(key, seed_)).expires = now + search_timeout;
    return;
  }
  if (!opens(*view)) {
    if (Flow* theirs = peer.theirs.find(view->flow, now, seed_)) {
      return follow(*theirs, *view, Direction::from_host, true, now);
    }
  }
  Flow* flow = peer.ours.find(view->flow, now, seed_);
  if (flow && opens(*view)) *flow = {.key = flow->key};  // the port is used again
  if (!flow && only_answers(*view)) return;
  // A connection in its middle is taken up too: this host's process may have outlived the device.
  follow(flow ? *flow : peer.ours.insert(view->flow, seed_), *view, Direction::from_host, false, now);
}

bool Filter::accepts(PeerFilter& peer, ByteView packet, Nanos now) const {
  if (!options_) return true;
  const auto view = PacketView::parse(packet, Direction::from_peer);
  if (!view || !wanted_destination(*view)) return false;
  if (view->kind == PacketKind::fragment) {
    // Networks reorder, and so does what lets small packets pass: one that comes before its first is harmless without it.
    const Flow* first = peer.fragments.find(*view->datagram, now, seed_);
    return !first || first->accepted;
  }
  const bool accepted = judge(peer, *view, now);
  if (view->datagram) {
    Flow* known = peer.fragments.find(*view->datagram, now, seed_);
    Flow& first = known ? *known : peer.fragments.insert(*view->datagram, seed_);
    first.accepted = accepted;
    first.expires = now + fragment_timeout;
  }
  return accepted;
}

bool Filter::is_group(const PacketView& view) const {
  if (!view.v4) return view.destination[0] == 0xff;
  const uint32_t to = load_be32(view.destination.data());
  return to >> 28 == 0xe || to == 0xffffffff || to == options_->directed_broadcast;
}

bool Filter::wanted_destination(const PacketView& view) const {
  const std::vector<Prefix>& wanted = options_->destinations;
  if (wanted.empty() || is_group(view)) return true;
  return std::ranges::any_of(wanted, [&view](const Prefix& prefix) { return covers(prefix, view); });
}

bool Filter::judge(PeerFilter& peer, const PacketView& view, Nanos now) const {
  if (view.kind == PacketKind::icmp_error) return about_a_flow(peer, view, now);
  // Redirects and advertisements have no business in a room.
  if (view.kind == PacketKind::icmp_other) return false;
  if (answers(peer, view, now)) return true;
  if (view.kind == PacketKind::echo_reply) return false;
  const Verdict verdict = by_rules(peer, view);
  if (verdict != Verdict::accept) return verdict == Verdict::deny_by_default && answers_search(peer, view, now);
  Flow* flow = peer.theirs.find(view.flow, now, seed_);
  if (flow && opens(view)) *flow = {.key = flow->key};
  follow(flow ? *flow : peer.theirs.insert(view.flow, seed_), view, Direction::from_peer, false, now);
  return true;
}

bool Filter::answers(PeerFilter& peer, const PacketView& view, Nanos now) const {
  Flow* flow = peer.ours.find(view.flow, now, seed_);
  if (!flow) return false;
  // A connection that the peer begins is a new one, unless both sides begin at once (RFC 9293, section 3.5).
  if (opens(view) && flow->answered) return false;
  follow(*flow, view, Direction::from_peer, true, now);
  return true;
}

bool Filter::answers_search(PeerFilter& peer, const PacketView& view, Nanos now) const {
  if (view.kind != PacketKind::udp || is_group(view)) return false;
  return peer.ours.find(view.any_remote(), now, seed_) != nullptr;
}

bool Filter::about_a_flow(PeerFilter& peer, const PacketView& view, Nanos now) const {
  const auto flow = PacketView::quoted_flow(view.quoted, Direction::from_host);
  if (!flow) return false;
  return peer.ours.find(*flow, now, seed_) || peer.theirs.find(*flow, now, seed_);
}

Filter::Verdict Filter::by_rules(const PeerFilter& peer, const PacketView& view) const {
  const FilterRules& rules = peer.rules ? *peer.rules : options_->rules;
  for (const FilterRule& rule : rules.rules) {
    if (matches(rule, view)) return rule.accept ? Verdict::accept : Verdict::deny;
  }
  return rules.accept ? Verdict::accept : Verdict::deny_by_default;
}

}  // namespace wg
