#include "outbound.h"

#include "mss.h"

namespace wg {
namespace {

/// Cut packets that leave together; those of two frames of the host's.
constexpr size_t cut_room = 163'840;
/// Tuning: bulk that leaves between two looks at the TUN: one frame of the host's, so that a game's packet never waits for
/// longer than that takes.
constexpr size_t bulk_burst = 65'536;
/// Tuning: while a path is held back its delay is measured this often.
constexpr Nanos held_look = 5 * milliseconds;

/// Tuning: packets on their way to the owner, who carries those of external paths, before bulk waits here instead, where
/// others can pass it; and how soon to look again.
constexpr size_t owner_ahead = 64;
constexpr Nanos owner_look = milliseconds;

uint64_t random_seed() {
  Bytes<8> bytes;
  random_bytes(bytes);
  return load_le64(bytes.data());
}

}  // namespace

Outbound::Outbound(State& state, const HostQueueOptions& places, bool waits)
    : state_(state),
      waits_(waits),
      seed_(random_seed()),
      sender_(state, waits),
      queue_(places),
      cut_(new uint8_t[cut_room]),
      copy_(data_overhead + offload::max_frame + 15) {
  // Jobs and what is being sent point into flows: these may not move.
  arrived_.reserve(batch);
  flows_.reserve(batch);
  jobs_.reserve(batch);
}

void Outbound::arrived(size_t length, const offload::Offload& offload) {
  const auto slot = queue_.keep(length, offload);
  if (!slot) {
    state_.tx_dropped++;
    return;
  }
  HostFrame& frame = queue_[*slot];
  const bool whole = offload.kind != offload::Kind::none;
  // A field outside its packet: nothing that a checksum could mend.
  if (!whole && !offload::complete_checksum(frame.packet, offload)) return queue_.free(*slot);
  arrived_.push_back({*slot, queue::classify(frame.packet, whole, seed_)});
  if (arrived_.size() == batch) admit();
}

// The way of a packet through an idle device: nothing here is touched that it does not need.
bool Outbound::send_alone(size_t length, offload::Offload& offload) {
  const ByteSpan packet = queue_.room().first(length);
  if (offload.kind != offload::Kind::none || length >= queue::small_packet || !queue_.empty() || !arrived_.empty()) return false;
  if (!offload::complete_checksum(packet, offload)) return true;
  offload = {};
  const auto inner = InnerHeader::parse(packet);
  if (!inner) return false;
  const Now now = read_clocks();
  Flow flow;
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.may_be_for_all(*inner) ? nullptr : state_.core.route(*inner);
    if (!peer || length > peer->inner_limit || !state_.core.session_for_data(now, *peer, effects_)) return false;
    state_.core.follow_host(now, *peer, packet);
    flow = {peer->id, peer->current, peer->path, peer->duplicate, peer->inner_limit};
    state_.core.data_sent(now, *peer, Session::sealed_size(length, flow.limit));
    wake = state_.oversleeps();
  }
  clamp_mss(packet, flow.limit);
  const ByteView sealed = flow.session->seal(packet.data() - data_header_size, length, flow.limit);
  if (!sealed.empty()) {
    sender_.send(flow.path, flow.peer, sealed);
    if (flow.duplicate.kind != PathKind::none) sender_.send(flow.duplicate, flow.peer, sealed);
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
  return true;
}

void Outbound::admit() {
  if (arrived_.empty()) return;
  const Now now = read_clocks();
  const std::lock_guard lock(state_.mutex);
  for (const Admission& admission : arrived_) route(now, admission);
  arrived_.clear();
  std::ranges::move(state_.core.fanout().take_answers(), std::back_inserter(answers_));
}

// Locked.
void Outbound::route(const Now& now, const Admission& admission) {
  const ByteView packet = queue_[admission.slot].packet;
  const auto inner = InnerHeader::parse(packet);
  const FanoutVerdict to_all = inner ? state_.core.fan_out(now, *inner, packet, effects_) : FanoutVerdict::not_ours;
  if (to_all == FanoutVerdict::carry) return fan_out(now, admission);
  if (to_all == FanoutVerdict::refuse) return queue_.free(admission.slot);
  Peer* peer = inner ? state_.core.route(*inner) : nullptr;
  if (peer) return enqueue(now, *peer, admission.slot, admission.what);
  state_.core.counters().route_misses++;
  queue_.free(admission.slot);
}

// Locked. A copy for each peer that takes part, in that peer's queue.
void Outbound::fan_out(const Now& now, const Admission& admission) {
  for (const auto& [id, peer] : state_.core.peers()) {
    if (!state_.core.takes_fanout(*peer)) continue;
    if (const auto slot = queue_.copy(admission.slot)) enqueue(now, *peer, *slot, admission.what);
  }
  queue_.free(admission.slot);
}

// Locked.
void Outbound::enqueue(const Now& now, Peer& peer, Index slot, const queue::Class& what) {
  HostFrame& frame = queue_[slot];
  state_.core.follow_host(now, peer, frame.packet);
  const size_t limit = peer.inner_limit;
  queue::Packet packet{.peer = peer.id, .flow = what.flow, .bytes = 0};
  if (frame.offload.kind == offload::Kind::none) {
    packet.bytes = static_cast<uint32_t>(Session::sealed_size(frame.packet.size(), limit));
    return queue_.push(now.boot_ns, slot, what, packet);
  }
  frame.cut = offload::Segmenter::begin(frame.packet, frame.offload, limit);
  if (!frame.cut) {
    state_.core.counters().tx_dropped++;
    return queue_.free(slot);
  }
  packet.segments = static_cast<uint32_t>(frame.cut->count());
  packet.segment_bytes = static_cast<uint32_t>(Session::sealed_size(frame.cut->longest(), limit));
  const size_t last = Session::sealed_size(frame.cut->last(), limit);
  packet.bytes = (packet.segments - 1) * packet.segment_bytes + static_cast<uint32_t>(last);
  queue_.push(now.boot_ns, slot, what, packet);
}

Nanos Outbound::send() {
  const Now now = read_clocks();
  take_express(now);
  dispatch();
  take_bulk(now);
  const Nanos next = next_turn(now);
  dispatch();
  return next;
}

void Outbound::take_express(const Now& now) {
  if (queue_.express().empty()) return;
  const std::lock_guard lock(state_.mutex);
  while (jobs_.size() < batch) {
    const auto burst = queue_.pop_express(now.boot_ns);
    if (!burst) return;
    join_flow(now, *burst);
  }
}

void Outbound::take_bulk(const Now& now) {
  if (queue_.bulk().empty()) return;
  const std::lock_guard lock(state_.mutex);
  if (waits_) ask_for_paces(now);
  const queue::FairQueue::Gate gate = [this, &now](PeerId id) {
    Peer* peer = waits_ ? state_.core.find(id) : nullptr;
    if (!peer) return queue::Pacer::unlimited;
    return owner_lags(*peer) ? 0 : peer->pacer.allowance(now.boot_ns);
  };
  for (size_t bytes = 0; bytes < bulk_burst && jobs_.size() < batch;) {
    const auto burst = queue_.pop_bulk(now.boot_ns, gate, bulk_burst - bytes);
    if (!burst) return;
    if (Peer* peer = state_.core.find(burst->peer)) peer->pacer.sent(now.boot_ns, burst->bytes);
    bytes += burst->bytes;
    join_flow(now, *burst);
  }
}

// Locked. The paths on which bulk waits are measured, before it joins the queue that is looked for.
void Outbound::ask_for_paces(const Now& now) {
  queue_.bulk().each_peer([&](PeerId id, size_t) {
    Peer* peer = state_.core.find(id);
    if (!peer || peer->path.kind == PathKind::none || !peer->pacer.probe_due(now.boot_ns)) return;
    auto request = state_.core.ask_for_pace(now, *peer);
    if (!request.empty()) effects_.outgoing.push_back({id, peer->path, std::move(request)});
  });
}

// Nothing popped and something waits: every path is held back.
Nanos Outbound::next_turn(const Now& now) {
  state_.express_dropped.store(queue_.express().dropped(), std::memory_order_relaxed);
  state_.bulk_dropped.store(queue_.bulk().dropped(), std::memory_order_relaxed);
  state_.bulk_late.store(queue_.bulk().late(), std::memory_order_relaxed);
  state_.bulk_queued.store(queue_.bulk().bytes(), std::memory_order_relaxed);
  state_.bulk_wait.store(queue_.bulk().wait(), std::memory_order_relaxed);
  if (!queue_.express().empty() || (!jobs_.empty() && !queue_.bulk().empty())) return 0;
  if (queue_.bulk().empty()) return never;
  Nanos next = now.boot_ns + held_look;
  const std::lock_guard lock(state_.mutex);
  queue_.bulk().each_peer([&](PeerId id, size_t) {
    const Peer* peer = state_.core.find(id);
    const Nanos turn = peer ? peer->pacer.next_send(now.boot_ns) : 0;
    next = std::min(next, peer && owner_lags(*peer) ? std::max(turn, now.boot_ns + owner_look) : turn);
  });
  return next;
}

// The owner has enough to carry.
bool Outbound::owner_lags(const Peer& peer) const {
  return peer.path.kind == PathKind::external && state_.events.size() >= owner_ahead;
}

// Locked. Makes a flow unless the last one is this peer's; stages the burst when there is nothing to seal with.
void Outbound::join_flow(const Now& now, const queue::Burst& burst) {
  Peer* peer = state_.core.find(burst.peer);
  const bool held = !peer || !state_.core.session_for_data(now, *peer, effects_);
  if (held) {
    if (peer) stage(*peer, burst);
    if (burst.last) queue_.free(burst.slot);
    return;
  }
  if (flows_.empty() || flows_.back().peer != peer->id) {
    flows_.push_back({peer->id, peer->current, peer->path, peer->duplicate, peer->inner_limit});
  }
  state_.core.data_sent(now, *peer, burst.bytes, burst.count);
  jobs_.push_back({burst, flows_.size() - 1});
}

void Outbound::stage(Peer& peer, const queue::Burst& burst) {
  HostFrame& frame = queue_[burst.slot];
  if (!frame.cut) return state_.core.stage(peer, frame.packet);
  for (size_t i = 0; i < burst.count; i++) {
    const ByteSpan packet(copy_.data(), frame.cut->next_length());
    frame.cut->next(packet.data());
    state_.core.stage(peer, packet);
  }
}

void Outbound::dispatch() {
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    wake = state_.oversleeps();
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
  for (const Job& job : jobs_) transmit(job);
  flush();
  for (const Job& job : jobs_) {
    if (job.burst.last) queue_.free(job.burst.slot);
  }
  jobs_.clear();
  flows_.clear();
}

void Outbound::transmit(const Job& job) {
  const Flow& flow = flows_[job.flow];
  HostFrame& frame = queue_[job.burst.slot];
  if (frame.cut) return transmit_packets(flow, *frame.cut, job.burst.count);
  clamp_mss(frame.packet, flow.limit);
  if (frame.packet.size() > flow.limit) return transmit_fragments(flow, frame.packet);
  seal(flow, frame.packet.data(), frame.packet.size());
}

void Outbound::transmit_packets(const Flow& flow, offload::Segmenter& cut, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const size_t length = cut.next_length();
    if (length > flow.limit) {
      // A datagram, which has to stay one, or a path that has changed: it leaves in fragments.
      cut.next(copy_.data());
      transmit_fragments(flow, {copy_.data(), length});
      continue;
    }
    uint8_t* packet = place(length);
    cut.next(packet);
    seal(flow, packet, length);
  }
}

void Outbound::transmit_fragments(const Flow& flow, ByteView packet) {
  const Fragmenter fragments(packet, flow.limit, flow.session->next_identification());
  if (fragments.count() == 0) state_.tx_dropped++;
  for (size_t i = 0; i < fragments.count(); i++) {
    uint8_t* fragment = place(flow.limit);
    seal(flow, fragment, fragments.write(i, {fragment, flow.limit}));
  }
}

// The packet lies behind the room for a header.
void Outbound::seal(const Flow& flow, uint8_t* packet, size_t length) {
  const ByteView sealed = flow.session->seal(packet - data_header_size, length, flow.limit);
  if (sealed.empty()) return;
  sender_.add(flow.path, flow.peer, sealed);
  sender_.add(flow.duplicate, flow.peer, sealed);
}

// Where the next cut packet goes; they lie side by side, and stay until they have left.
uint8_t* Outbound::place(size_t length) {
  const size_t room = data_overhead + ((length + 15) & ~size_t{15});
  if (cut_used_ + room > cut_room) flush();
  uint8_t* packet = &cut_[cut_used_ + data_header_size];
  cut_used_ += room;
  return packet;
}

void Outbound::flush() {
  sender_.flush();
  cut_used_ = 0;
}

}  // namespace wg
