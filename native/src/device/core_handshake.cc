// Handshakes, both roles. The initiator's and the responder's state are apart, so two sides that begin at once both end
// with sessions.
#include "core.h"

namespace wg {
namespace {

// From the beginning of an attempt: while there is no session one lost packet must not cost 5 s.
constexpr Nanos fast_schedule[] = {0, 250 * milliseconds, 750 * milliseconds, 1'750 * milliseconds};

// What a cookie is bound to: the sender's address, or the relayed peer.
Bytes<18> cookie_source(const Arrival& arrival) {
  if (arrival.via.kind == PathKind::udp) return arrival.via.to.identity();
  Bytes<18> out{};
  store_le32(out.data(), arrival.external_peer);
  return out;
}

uint64_t rate_source(const Arrival& arrival) {
  // Apart from every address: these would be IPv6 multicast, which is never a source.
  if (arrival.via.kind != PathKind::udp) return ~uint64_t{0} - arrival.external_peer;
  return arrival.via.to.source();
}

}  // namespace

void Core::begin_handshake(const Now& now, Peer& peer, Effects& effects) {
  if (peer.attempt.active || peer.path.kind == PathKind::none) return;
  const bool fast = !usable(now, peer.current);
  peer.attempt = {.active = true, .fast = fast, .sent = 0, .started = now.boot_ns};
  const Nanos allowed = peer.initiation_sent + rekey_timeout;
  if (!fast && now.boot_ns < allowed) {
    arm(peer.timers.retry_handshake, allowed);
  } else {
    send_initiation(now, peer, effects);
  }
}

void Core::restart_handshake(const Now& now, Peer& peer, Effects& effects) {
  peer.attempt = {.active = true, .fast = true, .sent = 0, .started = now.boot_ns};
  send_initiation(now, peer, effects);
}

void Core::send_initiation(const Now& now, Peer& peer, Effects& effects) {
  // A responder ignores what comes sooner; 5 ms are for the network's jitter.
  const Nanos allowed = peer.initiation_sent + initiation_spacing + 5 * milliseconds;
  if (now.boot_ns < allowed) {
    arm(peer.timers.retry_handshake, allowed);
    return;
  }
  Key ephemeral;
  random_(ephemeral.span());
  drop_pending(peer);
  Bytes<initiation_size> message{};
  peer.pending = create_initiation(identity_, peer.remote, fresh_index(peer.id), stamps_.stamp(now.wall_ns), ephemeral,
                                   message);
  peer.cookies.sign(message, peer.remote, now.boot_ns);
  peer.initiation_sent = now.boot_ns;
  Attempt& attempt = peer.attempt;
  attempt.sent++;
  const bool soon = attempt.fast && attempt.sent < std::size(fast_schedule);
  arm(peer.timers.retry_handshake,
      soon ? attempt.started + fast_schedule[attempt.sent] : now.boot_ns + rekey_timeout + jitter());
  transmit_everywhere(peer, message, effects);
  on_authenticated_sent(now, peer);
}

bool Core::admit(const Now& now, const Arrival& arrival, ByteView message, Effects& effects) {
  if (!cookie_checker_.mac1_valid(message)) {
    reject();
    return false;
  }
  load_.count(now.boot_ns);
  if (!load_.under_load(now.boot_ns)) return true;
  const Bytes<18> source = cookie_source(arrival);
  if (cookie_checker_.mac2_valid(message, source, now.boot_ns)) {
    if (rate_limiter_.allow(rate_source(arrival), now.boot_ns)) return true;
    reject();
    return false;
  }
  const bool udp = arrival.via.kind == PathKind::udp;
  if (udp && new_remotes_allowed_ != any_number && !reached_.lately(now.boot_ns, arrival.via.socket->id(), arrival.via.to)) {
    reject();
    return false;
  }
  const Bytes<cookie_reply_size> reply = cookie_checker_.reply(message, source, now.boot_ns, random_);
  effects.outgoing.push_back({arrival.external_peer, arrival.via, {reply.begin(), reply.end()}});
  return false;
}

void Core::receive_initiation(const Now& now, const Arrival& arrival, ByteView message, Effects& effects) {
  if (!admit(now, arrival, message, effects)) return;
  const auto opened = open_initiation(identity_, message.first<initiation_size>());
  const auto id = opened ? by_key_.find(opened->static_key) : by_key_.end();
  if (id == by_key_.end()) return reject();
  Peer& peer = *find(id->second);
  const auto initiation = accept_initiation(*opened, peer.remote);
  const bool acceptable = initiation && (!peer.latest_timestamp || initiation->timestamp > *peer.latest_timestamp) &&
                          now.boot_ns - peer.initiation_received > initiation_spacing;
  if (!acceptable) return reject();
  peer.latest_timestamp = initiation->timestamp;
  peer.initiation_received = now.boot_ns;
  peer.counters.rx_bytes += message.size();
  roam(peer, arrival, effects);
  on_authenticated_received(now, peer);
  respond(now, peer, arrival, *initiation, effects);
}

void Core::respond(const Now& now, Peer& peer, const Arrival& arrival, const AcceptedInitiation& initiation,
                   Effects& effects) {
  Key ephemeral;
  random_(ephemeral.span());
  const uint32_t index = fresh_index(peer.id);
  Bytes<response_size> message{};
  const auto keys = create_response(initiation, peer.config.preshared_key, index, ephemeral, message);
  if (!keys) {
    indices_.erase(index);
    return reject();
  }
  peer.cookies.sign(message, peer.remote, now.boot_ns);
  // Three pairs at most: the one that waits for its first data replaces an older one, and the previous one goes.
  drop_session(peer.next);
  drop_session(peer.previous);
  install(peer, peer.next,
          std::make_shared<Session>(peer.id, index, initiation.remote_index, false, now.boot_ns, *keys));
  on_session_derived(now, peer);
  peer.counters.tx_bytes += message.size();
  transmit(peer, knows(now, peer, arrival.via) ? arrival.via : peer.path, message, effects);
  on_authenticated_sent(now, peer);
}

void Core::receive_response(const Now& now, const Arrival& arrival, ByteView message, Effects& effects) {
  if (!admit(now, arrival, message, effects)) return;
  const auto entry = indices_.find(load_le32(message.data() + response_at::receiver));
  if (entry == indices_.end() || entry->second.session) return reject();
  Peer& peer = *find(entry->second.peer);
  const auto keys = consume_response(identity_, *peer.pending, peer.config.preshared_key, message.first<response_size>());
  if (!keys) return reject();
  auto session = std::make_shared<Session>(peer.id, peer.pending->local_index,
                                           load_le32(message.data() + response_at::sender), true, now.boot_ns, *keys);
  peer.pending.reset();  // its index is the session's from here
  drop_session(peer.previous);
  if (peer.next) {
    drop_session(peer.current);
    peer.previous = std::move(peer.next);
  } else {
    peer.previous = std::move(peer.current);
  }
  install(peer, peer.current, std::move(session));
  peer.counters.rx_bytes += message.size();
  roam(peer, arrival, effects);
  on_session_derived(now, peer);
  on_authenticated_received(now, peer);
  session_began(now, peer, effects);
  // The responder waits for a first packet under the new key.
  if (peer.staged.empty()) {
    send_keepalive(now, peer, effects);
  } else {
    flush_staged(now, peer, effects);
  }
  peer.unconfirmed = peer.probe != nullptr;
  await_confirmation(now, peer);
}

void Core::receive_cookie_reply(const Now& now, ByteView message) {
  const auto entry = indices_.find(load_le32(message.data() + cookie_reply_at::receiver));
  Peer* peer = entry == indices_.end() ? nullptr : find(entry->second.peer);
  if (!peer || !peer->cookies.consume(message.first<cookie_reply_size>(), peer->remote, now.boot_ns)) reject();
}

void Core::session_began(const Now& now, Peer& peer, Effects& effects) {
  drop_pending(peer);
  peer.attempt.active = false;
  peer.timers.retry_handshake = never;
  peer.counters.last_handshake_ms = now.mono_ms;
  Event& event = effects.events.emplace_back();
  event.type = EventType::handshake;
  event.peer = peer.id;
  event.at = now.mono_ms;
}

}  // namespace wg
