// The timers of the paper, section 6. Hooks are named after what happened; deadlines that move later only leave one early
// wake-up behind, so that the data path stores a number and no more.
#include "core.h"

namespace wg {

void Core::arm(Nanos& deadline, Nanos at) {
  deadline = at;
  earliest_ = std::min(earliest_, at);
}

// Up to a third of a second, so that two sides do not keep meeting.
Nanos Core::jitter() {
  Bytes<4> bytes;
  random_(bytes);
  return static_cast<Nanos>(load_le32(bytes.data()) % 334) * milliseconds;
}

void Core::on_data_sent(const Now& now, Peer& peer) {
  if (peer.timers.new_handshake != never) return;
  // Once a packet on a quiet path: the clock's low digits differ enough between two sides, and cost nothing.
  const Nanos spread = now.boot_ns / 1'000 % 334 * milliseconds;
  arm(peer.timers.new_handshake, now.boot_ns + keepalive_timeout + rekey_timeout + spread);
}

void Core::on_data_received(const Now& now, Peer& peer) {
  if (peer.timers.passive_keepalive == never) arm(peer.timers.passive_keepalive, now.boot_ns + keepalive_timeout);
}

void Core::on_authenticated_sent(const Now& now, Peer& peer) {
  peer.timers.passive_keepalive = never;
  on_traversal(now, peer);
}

void Core::on_authenticated_received(const Now& now, Peer& peer) {
  peer.timers.new_handshake = never;
  peer.counters.last_received_ms = now.mono_ms;
  on_traversal(now, peer);
}

void Core::on_traversal(const Now& now, Peer& peer) {
  if (peer.config.keepalive > 0) arm(peer.timers.persistent_keepalive, now.boot_ns + peer.config.keepalive);
}

// To members only: who runs another WireGuard gets the paper's packets and no others.
void Core::await_confirmation(const Now& now, Peer& peer) {
  peer.confirmations = 0;
  peer.timers.confirm = never;
  if (peer.unconfirmed) arm(peer.timers.confirm, now.boot_ns + confirm_after.front());
}

void Core::confirm(const Now& now, Peer& peer, Effects& effects) {
  if (!usable(now, peer.current) || peer.path.kind == PathKind::none) return;
  if (++peer.confirmations < confirm_after.size()) {
    arm(peer.timers.confirm, now.boot_ns + confirm_after[peer.confirmations]);
  }
  send_keepalive(now, peer, effects);
}

void Core::on_session_derived(const Now& now, Peer& peer) {
  peer.rekeyed_on_receive = false;
  arm(peer.timers.zero_keys, now.boot_ns + 3 * reject_after_time);
}

void Core::run_timers(const Now& now, Effects& effects) {
  if (now.boot_ns < earliest_) return;
  earliest_ = never;
  for (const auto& [id, peer] : peers_) {
    run_peer_timers(now, *peer, effects);
    const Timers& t = peer->timers;
    earliest_ = std::min({earliest_, t.retry_handshake, t.passive_keepalive, t.new_handshake, t.persistent_keepalive,
                          t.confirm, t.zero_keys});
  }
}

void Core::run_peer_timers(const Now& now, Peer& peer, Effects& effects) {
  const auto due = [&now](Nanos& deadline) {
    if (now.boot_ns < deadline) return false;
    deadline = never;
    return true;
  };
  Timers& timers = peer.timers;
  if (due(timers.zero_keys)) zero_keys(peer);
  if (due(timers.retry_handshake)) retry_handshake(now, peer, effects);
  if (due(timers.new_handshake)) begin_handshake(now, peer, effects);
  if (due(timers.passive_keepalive) && usable(now, peer.current)) send_keepalive(now, peer, effects);
  if (due(timers.confirm)) confirm(now, peer, effects);
  if (due(timers.persistent_keepalive) && peer.path.kind != PathKind::none) {
    arm(timers.persistent_keepalive, now.boot_ns + peer.config.keepalive);
    send_keepalive(now, peer, effects);
  }
}

void Core::retry_handshake(const Now& now, Peer& peer, Effects& effects) {
  const bool hopeless = now.boot_ns - peer.attempt.started >= rekey_attempt_time;
  if (!hopeless && peer.path.kind != PathKind::none) {
    send_initiation(now, peer, effects);
    return;
  }
  peer.attempt.active = false;
  drop_pending(peer);
  if (hopeless) {
    counters_.tx_dropped += peer.staged.size();
    peer.staged.clear();
  }
}

void Core::zero_keys(Peer& peer) {
  drop_session(peer.previous);
  drop_session(peer.current);
  drop_session(peer.next);
  drop_pending(peer);
}

}  // namespace wg
