// Path probes: docs/protocol.md, "Probes".
#include <string_view>

#include "core.h"

namespace wg {
namespace {

constexpr uint8_t probe_mark = 0xd7;
constexpr size_t header_size = 20, mac_size = 16, pong_body_size = 24, max_message = 1'200;
constexpr uint64_t max_seq = uint64_t{1} << 53;
constexpr double outstanding_ms = 30'000;
/// A punch sends at most 2,048 probes in a round; more than two rounds are not waited for.
constexpr size_t max_outstanding = 8'192;

Mac tag_of(const Key& key) {
  constexpr std::string_view label = "warren probe tag";
  return keyed_mac(key, {reinterpret_cast<const uint8_t*>(label.data()), label.size()});
}

void write_observed(const Arrival& arrival, size_t size, ByteSpan body) {
  if (arrival.via.kind == PathKind::udp) {
    const Endpoint& from = arrival.via.to;
    body[0] = from.is_v4() ? 4 : 6;
    store_be16(&body[2], from.port());
    copy_bytes(from.address(), &body[4]);
  }
  store_be16(&body[20], static_cast<uint16_t>(size));
}

// Nothing when the family is none that we know; an endpoint of family AF_UNSPEC for an external path.
std::optional<Endpoint> read_observed(ByteView body) {
  if (body[0] == 0) return Endpoint();
  sockaddr_storage storage{};
  if (body[0] == 4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_port, &body[2], 2);
    std::memcpy(&v4.sin_addr, &body[4], 4);
  } else if (body[0] == 6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_port, &body[2], 2);
    std::memcpy(&v6.sin6_addr, &body[4], 16);
  }
  return Endpoint::from(storage);
}

Event probe_event(EventType type, const Peer& peer, const Arrival& arrival, uint64_t seq, const Now& now) {
  Event event;
  event.type = type;
  event.peer = peer.id;
  event.via = arrival.via.kind;
  event.socket = arrival.via.socket ? arrival.via.socket->id() : 0;
  event.from = arrival.via.to;
  event.seq = seq;
  event.at = now.mono_ms;
  return event;
}

}  // namespace

void Core::set_probe(Peer& peer, const std::optional<ProbeKeys>& keys) {
  if (!keys) return;
  // The same keys again keep their replay window.
  if (peer.probe && equal(peer.probe->keys.send, keys->send) && equal(peer.probe->keys.receive, keys->receive)) return;
  if (peer.probe) by_probe_tag_.erase(peer.probe->receive_tag);
  auto state = std::make_unique<ProbeState>();
  state->keys = *keys;
  const Mac tag = tag_of(keys->send);
  std::copy_n(tag.begin(), 8, state->send_tag.begin());
  state->receive_tag = load_le64(tag_of(keys->receive).data());
  by_probe_tag_[state->receive_tag] = peer.id;
  peer.probe = std::move(state);
}

std::vector<uint8_t> Core::seal_probe(Peer& peer, ProbeKind kind, uint64_t seq, ByteView body) {
  if (!peer.probe) return {};
  std::vector<uint8_t> out(header_size + body.size() + mac_size);
  out[0] = probe_mark;
  out[1] = static_cast<uint8_t>(kind);
  copy_bytes(peer.probe->send_tag, &out[4]);
  store_le64(&out[12], seq);
  copy_bytes(body, &out[header_size]);
  const Mac mac = keyed_mac(peer.probe->keys.send, ByteView(out).first(out.size() - mac_size));
  copy_bytes(mac, &out[out.size() - mac_size]);
  return out;
}

void Core::ping_sent(Peer& peer, uint64_t seq, bool doubly, double now_ms) {
  auto& outstanding = peer.probe->outstanding;
  while (!outstanding.empty() &&
         (outstanding.size() >= max_outstanding || now_ms - outstanding.begin()->second.sent_ms >= outstanding_ms)) {
    outstanding.erase(outstanding.begin());
  }
  outstanding[seq] = {.sent_ms = now_ms, .doubly = doubly};
}

void Core::receive_probe(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects) {
  const bool framed = datagram.size() > header_size + mac_size && datagram[0] == probe_mark && datagram[2] == 0 &&
                      datagram[3] == 0;
  if (!framed) return reject();
  const auto entry = by_probe_tag_.find(load_le64(&datagram[4]));
  if (entry == by_probe_tag_.end()) return reject();
  Peer& peer = *find(entry->second);
  const Mac mac = keyed_mac(peer.probe->keys.receive, datagram.first(datagram.size() - mac_size));
  const uint64_t seq = load_le64(&datagram[12]);
  if (!equal(mac, datagram.last(mac_size)) || seq >= max_seq) return reject();

  const ByteView body = datagram.subspan(header_size, datagram.size() - header_size - mac_size);
  const uint8_t kind = datagram[1];
  if (kind == static_cast<uint8_t>(ProbeKind::pong)) {
    if (!take_pong(now, peer, arrival, seq, body, effects)) reject();
  } else if (kind == static_cast<uint8_t>(ProbeKind::ping)) {
    if (body.size() < pong_body_size || !peer.probe->window.accept(seq)) return reject();
    answer_ping(now, peer, arrival, seq, (body[0] & ping_doubly) != 0, datagram.size(), effects);
  } else if (kind == static_cast<uint8_t>(ProbeKind::message)) {
    if (body.size() > max_message || !peer.probe->window.accept(seq)) return reject();
    Event event = probe_event(EventType::message, peer, arrival, seq, now);
    event.bytes.assign(body.begin(), body.end());
    effects.events.push_back(std::move(event));
  } else if (!receive_pace(now, peer, arrival, static_cast<ProbeKind>(kind), seq, body, effects)) {
    reject();
  }
}

// Whether something may leave there whoever asks for it: who is a peer could fill the user's router from ever new ports.
bool Core::knows(const Now& now, const Peer& peer, const Path& way) const {
  return new_remotes_allowed_ == any_number || way.kind != PathKind::udp || way == peer.path || way == peer.duplicate ||
         reached_.lately(now.boot_ns, way.socket->id(), way.to);
}

Answer Core::answer_to(const Now& now, const Peer& peer, const Path& way) {
  if (way.kind != PathKind::udp) return Answer::known;
  const bool known = reached_.lately(now.boot_ns, way.socket->id(), way.to);
  if (!known && !knows(now, peer, way) && new_remotes_ >= new_remotes_allowed_) return Answer::refused;
  if (!known) new_remotes_++;
  sends(now, *way.socket, way.to);
  return known ? Answer::known : Answer::fresh;
}

// The way back may be closed where the way here is open: between two NATs that map by destination the answer leaves from
// another port. Over the external path it tells at least that the ping arrived, and from where.
void Core::answer_ping(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, bool doubly, size_t size,
                       Effects& effects) {
  Bytes<pong_body_size> body{};
  write_observed(arrival, size, body);
  const std::vector<uint8_t> pong = seal_probe(peer, ProbeKind::pong, seq, body);
  Event event = probe_event(EventType::ping, peer, arrival, seq, now);
  event.answer = answer_to(now, peer, arrival.via);
  event.new_remotes = new_remotes_;
  if (event.answer != Answer::refused) effects.outgoing.push_back({peer.id, arrival.via, pong});
  if (doubly && arrival.via.kind == PathKind::udp) {
    Path external;
    external.kind = PathKind::external;
    effects.outgoing.push_back({peer.id, external, pong});
  }
  effects.events.push_back(std::move(event));
}

bool Core::take_pong(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, ByteView body,
                     Effects& effects) {
  auto& outstanding = peer.probe->outstanding;
  const auto sent = outstanding.find(seq);
  if (sent == outstanding.end() || body.size() != pong_body_size) return false;
  OutstandingPing& ping = sent->second;
  const double rtt_ms = now.mono_ms - ping.sent_ms;
  const auto observed = read_observed(body);
  bool& answered = arrival.via.kind == PathKind::external ? ping.answered_externally : ping.answered;
  if (rtt_ms >= outstanding_ms || !observed || answered) return false;
  answered = true;
  if (!ping.doubly || (ping.answered && ping.answered_externally)) outstanding.erase(sent);
  Event event = probe_event(EventType::pong, peer, arrival, seq, now);
  event.rtt_ms = rtt_ms;
  event.has_observed = observed->family() != AF_UNSPEC;
  event.observed = *observed;
  effects.events.push_back(std::move(event));
  return true;
}

}  // namespace wg
