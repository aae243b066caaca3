#include "outbound.h"

#include "mss.h"

namespace wg {
namespace {

// Fragments that are sent together.
constexpr size_t piece_slots = 64;

// Header before the packet, padding and tag behind it, and an odd number of cache lines, so that slots do not compete for
// the same ones.
size_t slot_size_for(size_t mtu) {
  const size_t lines = (mtu + data_overhead + 15 + 63) / 64;
  return (lines | 1) * 64;
}

}  // namespace

Outbound::Outbound(State& state, size_t slots, bool patient)
    : state_(state),
      sender_(state, patient),
      slot_size_(slot_size_for(state.core.mtu())),
      memory_(slots * slot_size_),
      lengths_(slots),
      copy_(slot_size_) {
  // Jobs point into flows until the batch has left: neither may move.
  flows_.reserve(slots);
  jobs_.reserve(slots);
  fanout_.reserve(slots);
}

void Outbound::send(size_t count) {
  const Now now = read_clocks();
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    for (size_t slot = 0; slot < count; slot++) {
      if (route(now, slot)) jobs_.push_back({slot, flows_.size() - 1});
    }
    wake = state_.oversleeps();
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
  for (const Job& job : jobs_) transmit(flows_[job.flow], buffer(job.slot), lengths_[job.slot]);
  finish();
  for (const size_t slot : fanout_) fan_out(now, slot_view(slot));
  fanout_.clear();
}

// Locked. True when the packet joined the last flow.
bool Outbound::route(const Now& now, size_t slot) {
  const ByteView packet = slot_view(slot);
  const auto inner = InnerHeader::parse(packet);
  if (inner && state_.core.is_fanout(*inner)) {
    fanout_.push_back(slot);
    return false;
  }
  Peer* peer = inner ? state_.core.route(*inner) : nullptr;
  if (!peer) {
    state_.core.counters().route_misses++;
    return false;
  }
  return join_flow(now, *peer, packet);
}

// Locked. Makes a flow unless the last one is this peer's; stages the packet when there is nothing to seal with.
bool Outbound::join_flow(const Now& now, Peer& peer, ByteView packet) {
  state_.core.follow_host(now, peer, packet);
  const std::shared_ptr<Session>& session = state_.core.session_for_data(now, peer, effects_);
  if (!session) {
    state_.core.stage(peer, packet);
    return false;
  }
  if (flows_.empty() || flows_.back().peer != peer.id) flows_.push_back({peer.id, session, peer.path, peer.duplicate, peer.inner_limit});
  state_.core.data_sent(now, peer, Session::sealed_size(packet.size(), state_.core.mtu()));
  return true;
}

void Outbound::transmit(const Flow& flow, uint8_t* buffer, size_t length) {
  clamp_mss({buffer + data_header_size, length}, flow.limit);
  if (length > flow.limit) return transmit_fragments(flow, {buffer + data_header_size, length});
  seal(flow, buffer, length);
}

// They wait in memory of their own until they have left.
void Outbound::transmit_fragments(const Flow& flow, ByteView packet) {
  const Fragmenter fragments(packet, flow.limit, flow.session->next_identification());
  if (fragments.count() == 0) state_.tx_dropped++;
  pieces_.resize(piece_slots * slot_size_);
  for (size_t i = 0; i < fragments.count(); i++) {
    if (pieces_used_ == piece_slots) flush();
    uint8_t* const buffer = pieces_.data() + pieces_used_++ * slot_size_;
    seal(flow, buffer, fragments.write(i, {buffer + data_header_size, flow.limit}));
  }
}

void Outbound::seal(const Flow& flow, uint8_t* buffer, size_t length) {
  const ByteView sealed = flow.session->seal(buffer, length, flow.limit);
  if (sealed.empty()) return;
  sender_.add(flow.path, flow.peer, sealed);
  sender_.add(flow.duplicate, flow.peer, sealed);
}

// A copy for each peer that takes part. Rare, so each leaves alone, from one buffer.
void Outbound::fan_out(const Now& now, ByteView packet) {
  {
    const std::lock_guard lock(state_.mutex);
    for (const auto& [id, peer] : state_.core.peers()) {
      if (peer->config.fanout && peer->path.kind != PathKind::none) join_flow(now, *peer, packet);
    }
  }
  sender_.run(effects_);
  for (const Flow& flow : flows_) {
    std::copy(packet.begin(), packet.end(), copy_.begin() + data_header_size);
    transmit(flow, copy_.data(), packet.size());
    flush();
  }
  finish();
}

void Outbound::flush() {
  sender_.flush();
  pieces_used_ = 0;
}

void Outbound::finish() {
  flush();
  jobs_.clear();
  flows_.clear();
}

}  // namespace wg
