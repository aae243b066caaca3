// From the peers to the host. A datagram is one of WireGuard, probe or STUN (docs/protocol.md), or counted and dropped.
#include "core.h"
#include "mss.h"

namespace wg {

std::shared_ptr<Session> Core::receive(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects) {
  if (const auto type = message_type(datagram)) {
    switch (*type) {
      case MessageType::data:
        return session_of(datagram);
      case MessageType::initiation:
        receive_initiation(now, arrival, datagram, effects);
        return nullptr;
      case MessageType::response:
        receive_response(now, arrival, datagram, effects);
        return nullptr;
      case MessageType::cookie_reply:
        receive_cookie_reply(now, datagram);
        return nullptr;
    }
  }
  if (udp::is_stun(datagram)) {
    receive_stun(now, arrival, datagram, effects);
  } else {
    receive_probe(now, arrival, datagram, effects);
  }
  return nullptr;
}

std::shared_ptr<Session> Core::session_of(ByteView message) {
  const auto entry = indices_.find(load_le32(message.data() + data_at::receiver));
  if (entry == indices_.end() || !entry->second.session) {
    reject();
    return nullptr;
  }
  return entry->second.session;
}

void Core::receive_stun(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects) {
  if (arrival.via.kind != PathKind::udp || !stun_.outstanding(datagram, now.mono_ms)) return reject();
  Event& event = effects.events.emplace_back();
  event.type = EventType::stun;
  event.socket = arrival.via.socket->id();
  event.from = arrival.via.to;
  event.at = now.mono_ms;
  event.bytes.assign(datagram.begin(), datagram.end());
}

ByteView Core::received_data(const Now& now, Session& session, const Arrival& arrival, ByteSpan inner, size_t sealed,
                             Effects& effects) {
  Peer* peer = find(session.peer);
  if (!peer || now.boot_ns - session.created >= reject_after_time) {
    reject();
    return {};
  }
  if (peer->next.get() == &session) {
    // First data under the key that we made as responder: the initiator has it too.
    drop_session(peer->previous);
    peer->previous = std::move(peer->current);
    peer->current = std::move(peer->next);
    session_began(now, *peer, effects);
    flush_staged(now, *peer, effects);
  }
  if (peer->unconfirmed && peer->current.get() == &session) {
    peer->unconfirmed = false;
    peer->timers.confirm = never;
  }
  peer->counters.rx_bytes += sealed;
  roam(*peer, arrival, effects);
  on_authenticated_received(now, *peer);
  constexpr Nanos near_end = reject_after_time - keepalive_timeout - rekey_timeout;
  if (session.initiator && !peer->rekeyed_on_receive && now.boot_ns - session.created >= near_end) {
    peer->rekeyed_on_receive = true;
    begin_handshake(now, *peer, effects);
  }
  if (inner.empty()) return {};
  on_data_received(now, *peer);
  peer->counters.rx_packets++;
  const auto header = InnerHeader::parse(inner);
  if (!header) {
    reject();
    return {};
  }
  if (routes_.find(header->v4, header->source) != peer) {
    counters_.route_misses++;
    return {};
  }
  const ByteSpan packet = inner.first(header->length);
  if (!filter_.accepts(peer->filter, packet, now.boot_ns)) {
    peer->counters.filtered++;
    return {};
  }
  clamp_mss(packet, peer->inner_limit);
  const bool to_all = header->v4 && fanout_.addresses_all(load_be32(header->destination.data()));
  if (!to_all) return packet;
  const FanoutVerdict verdict = fanout_.from_peer(now, peer->id, peer->fanout, packet, effects.events);
  return verdict == FanoutVerdict::refuse ? ByteView() : packet;
}

void Core::roam(Peer& peer, const Arrival& arrival, Effects& effects) {
  if (!peer.config.roaming || arrival.via == peer.path) return;
  peer.path = arrival.via;
  set_inner_limit(peer);
  Event& event = effects.events.emplace_back();
  event.type = EventType::peer_moved;
  event.peer = peer.id;
  event.via = arrival.via.kind;
  event.socket = arrival.via.socket ? arrival.via.socket->id() : 0;
  event.from = arrival.via.to;
}

}  // namespace wg
