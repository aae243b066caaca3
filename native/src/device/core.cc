#include "core.h"

namespace wg {
namespace {

uint64_t random_number(const Random& random) {
  Bytes<8> bytes;
  random(bytes);
  return load_le64(bytes.data());
}

}  // namespace

Core::Core(const Key& private_key, size_t mtu, Random random)
    : identity_(private_key),
      mtu_(mtu),
      random_(std::move(random)),
      cookie_checker_(identity_),
      filter_(random_number(random_)) {}

std::optional<PeerId> Core::add_peer(const PublicKey& key, const PeerConfig& config) {
  if (key == identity_.public_key || by_key_.contains(key)) return std::nullopt;
  const std::optional<RemoteIdentity> remote = RemoteIdentity::create(identity_, key);
  if (!remote) return std::nullopt;
  const PeerId id = ++last_peer_;
  auto owned = std::make_unique<Peer>(id, *remote);
  Peer& peer = *owned;
  peers_.emplace(id, std::move(owned));
  by_key_.emplace(key, id);
  peer.config = config;
  for (const Prefix& prefix : config.allowed_ips) routes_.insert(prefix, &peer);
  set_probe(peer, config.probe);
  set_inner_limit(peer);
  peer.filter.rules = config.filter;
  return id;
}

void Core::update_peer(const Now& now, Peer& peer, const PeerChange& change) {
  PeerConfig& config = peer.config;
  if (change.preshared_key) config.preshared_key = *change.preshared_key;
  if (change.roaming) config.roaming = *change.roaming;
  if (change.fanout) config.fanout = *change.fanout;
  if (change.initiate) config.initiate = *change.initiate;
  if (change.keepalive) {
    config.keepalive = *change.keepalive;
    peer.timers.persistent_keepalive = never;
    if (config.keepalive > 0) arm(peer.timers.persistent_keepalive, now.boot_ns + config.keepalive);
  }
  if (change.allowed_ips) {
    config.allowed_ips = *change.allowed_ips;
    routes_.remove(&peer);
    for (const Prefix& prefix : config.allowed_ips) routes_.insert(prefix, &peer);
  }
  if (change.probe) set_probe(peer, change.probe);
  if (change.filter) peer.filter.rules = config.filter = *change.filter;
}

void Core::remove_peer(PeerId id) {
  Peer* peer = find(id);
  if (!peer) return;
  zero_keys(*peer);
  routes_.remove(peer);
  if (peer->probe) by_probe_tag_.erase(peer->probe->receive_tag);
  by_key_.erase(peer->remote.public_key);
  peers_.erase(id);
}

Peer* Core::find(PeerId id) {
  const auto entry = peers_.find(id);
  return entry == peers_.end() ? nullptr : entry->second.get();
}

void Core::set_path(const Now& now, Peer& peer, Path path, Path duplicate, Effects& effects) {
  const bool moved = !(path == peer.path);
  if (moved) peer.pacer.reset();
  peer.path = std::move(path);
  peer.duplicate = std::move(duplicate);
  set_inner_limit(peer);
  if (peer.path.kind == PathKind::none) return;
  if (peer.config.keepalive > 0 && peer.timers.persistent_keepalive == never) {
    arm(peer.timers.persistent_keepalive, now.boot_ns + peer.config.keepalive);
  }
  if (usable(now, peer.current)) {
    flush_staged(now, peer, effects);
    if (moved && peer.unconfirmed) {
      send_keepalive(now, peer, effects);
      await_confirmation(now, peer);
    }
  } else if ((peer.config.initiate || !peer.staged.empty()) && (moved || !peer.attempt.active)) {
    restart_handshake(now, peer, effects);
  }
}

// Both ways at once, because the same sealed bytes leave over both.
void Core::set_inner_limit(Peer& peer) const {
  peer.inner_limit = mtu_;
  for (const Path* path : {&peer.path, &peer.duplicate}) {
    const size_t known = path->mtu == 0 && peer.config.roaming ? roaming_path_mtu : path->mtu;
    if (path->kind != PathKind::udp || known == 0) continue;
    peer.inner_limit = std::min(peer.inner_limit, known - outer_headers(path->to.is_v4()) - data_overhead);
  }
}

void Core::forget_socket(const udp::Socket& socket) {
  for (const auto& [id, peer] : peers_) {
    if (peer->path.socket.get() == &socket) peer->path = {};
    if (peer->duplicate.socket.get() == &socket) peer->duplicate = {};
    set_inner_limit(*peer);
  }
}

uint32_t Core::fresh_index(PeerId peer) {
  while (true) {
    Bytes<4> bytes;
    random_(bytes);
    const uint32_t index = load_le32(bytes.data());
    if (indices_.try_emplace(index, IndexEntry{peer, nullptr}).second) return index;
  }
}

void Core::drop_session(std::shared_ptr<Session>& session) {
  if (session) indices_.erase(session->local_index);
  session.reset();
}

void Core::drop_pending(Peer& peer) {
  if (peer.pending) indices_.erase(peer.pending->local_index);
  peer.pending.reset();
}

void Core::install(Peer& peer, std::shared_ptr<Session>& slot, std::shared_ptr<Session> session) {
  indices_[session->local_index] = {peer.id, session};
  slot = std::move(session);
}

void Core::transmit(const Peer& peer, const Path& path, ByteView bytes, Effects& effects) {
  if (path.kind != PathKind::none) effects.outgoing.push_back({peer.id, path, {bytes.begin(), bytes.end()}});
}

void Core::transmit_everywhere(Peer& peer, ByteView bytes, Effects& effects) {
  peer.counters.tx_bytes += bytes.size();
  transmit(peer, peer.path, bytes, effects);
  transmit(peer, peer.duplicate, bytes, effects);
}

}  // namespace wg
