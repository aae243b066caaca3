// From the host to the peers.
#include "core.h"
#include "mss.h"

namespace wg {

FanoutVerdict Core::fan_out(const Now& now, const InnerHeader& inner, ByteView packet, Effects& effects) {
  if (!may_be_for_all(inner)) return FanoutVerdict::not_ours;
  const bool from_member = routes_.find(true, inner.source) != nullptr;
  const auto copies = std::ranges::count_if(peers_, [this](const auto& entry) { return takes_fanout(*entry.second); });
  return fanout_.from_host(now, packet, from_member, static_cast<size_t>(copies), effects.events);
}

bool Core::usable(const Now& now, const std::shared_ptr<Session>& session) {
  return session && now.boot_ns - session->created < reject_after_time &&
         session->messages_sent() < reject_after_messages;
}

const std::shared_ptr<Session>& Core::session_for_data(const Now& now, Peer& peer, Effects& effects) {
  static const std::shared_ptr<Session> none;
  if (peer.path.kind == PathKind::none) return none;
  if (!usable(now, peer.current)) {
    begin_handshake(now, peer, effects);
    return none;
  }
  const Session& session = *peer.current;
  const bool old = session.initiator && now.boot_ns - session.created >= rekey_after_time;
  if (old || session.messages_sent() >= rekey_after_messages) begin_handshake(now, peer, effects);
  return peer.current;
}

void Core::stage(Peer& peer, ByteView inner) {
  if (peer.staged.size() >= staged_limit) {
    peer.staged.pop_front();
    counters_.tx_dropped++;
  }
  peer.staged.emplace_back(inner.begin(), inner.end());
}

void Core::data_sent(const Now& now, Peer& peer, size_t sealed, size_t packets) {
  peer.counters.tx_bytes += sealed;
  peer.counters.tx_packets += packets;
  on_data_sent(now, peer);
  on_authenticated_sent(now, peer);
}

void Core::flush_staged(const Now& now, Peer& peer, Effects& effects) {
  if (peer.path.kind == PathKind::none || !usable(now, peer.current)) return;
  std::vector<uint8_t> buffer(mtu_ + data_overhead + 15);
  const ByteSpan body = ByteSpan(buffer).subspan(data_header_size);
  for (std::vector<uint8_t>& inner : peer.staged) {
    clamp_mss(inner, peer.inner_limit);
    if (inner.size() <= peer.inner_limit) {
      copy_bytes(inner, body.data());
      send_sealed(now, peer, buffer, inner.size(), effects);
      continue;
    }
    const Fragmenter fragments(inner, peer.inner_limit, peer.current->next_identification());
    if (fragments.count() == 0) counters_.tx_dropped++;
    for (size_t i = 0; i < fragments.count(); i++) {
      send_sealed(now, peer, buffer, fragments.write(i, body), effects);
    }
  }
  peer.staged.clear();
}

// The inner packet lies in `buffer` behind the room for the header.
void Core::send_sealed(const Now& now, Peer& peer, ByteSpan buffer, size_t length, Effects& effects) {
  const ByteView sealed = peer.current->seal(buffer.data(), length, peer.inner_limit);
  if (sealed.empty()) return;
  transmit(peer, peer.path, sealed, effects);
  transmit(peer, peer.duplicate, sealed, effects);
  data_sent(now, peer, sealed.size());
}

void Core::send_keepalive(const Now& now, Peer& peer, Effects& effects) {
  const std::shared_ptr<Session>& session = session_for_data(now, peer, effects);
  if (!session) return;
  Bytes<data_overhead> buffer;
  const ByteView sealed = session->seal(buffer.data(), 0, mtu_);
  transmit_everywhere(peer, sealed, effects);
  on_authenticated_sent(now, peer);
}

}  // namespace wg
