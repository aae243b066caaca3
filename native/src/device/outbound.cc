#include "outbound.h"

#include "mss.h"

namespace wg {
namespace {

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

Outbound::Outbound(State& state, const HostQueueOptions& places, bool waits, CryptoPool* pool)
    : state_(state),
      waits_(waits),
      seed_(random_seed()),
      sender_(state, waits ? host_patience_ms : no_patience),
      queue_(places),
      copy_(offload::max_frame),
      pool_(pool),
      pooled_(pool ? pool->depth() : 0) {
  arrived_.reserve(batch);
}

Outbound::~Outbound() {
  while (collected_ < handed_in_) collect();
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
  if (collected_ < handed_in_) return false;
  if (!offload::complete_checksum(packet, offload)) return true;
  offload = {};
  const auto inner = InnerHeader::parse(packet);
  if (!inner) return false;
  const Now now = read_clocks();
  Sealing::Flow flow;
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.may_be_for_all(*inner) ? nullptr : state_.core.route(*inner);
    if (!peer || length > peer->inner_limit || !state_.core.session_for_data(now, *peer, effects_)) return false;
    state_.core.follow_host(now, *peer, packet);
    flow = {peer->id, peer->current, peer->path, peer->duplicate, peer->inner_limit, queue::Lane::express};
    state_.core.data_sent(now, *peer, Session::sealed_size(length, flow.limit));
    wake = state_.oversleeps();
  }
  note_play(now, packet);
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

void Outbound::note_play(const Now& now, ByteView packet) {
  if (queue::is_play(packet)) state_.played_at.store(now.boot_ns, std::memory_order_relaxed);
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
  note_play(now, frame.packet);
  const size_t limit = peer.inner_limit;
  const bool behind = what.lane == queue::Lane::express && seals(peer.id, what.flow);
  queue::Packet packet{.peer = peer.id, .flow = what.flow, .bytes = 0};
  if (frame.offload.kind == offload::Kind::none) {
    packet.bytes = static_cast<uint32_t>(Session::sealed_size(frame.packet.size(), limit));
    return queue_.push(now.boot_ns, slot, what, packet, behind);
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
  queue_.push(now.boot_ns, slot, what, packet, behind);
}

Nanos Outbound::send() {
  const Now now = read_clocks();
  // To the last: bulk must not pass the small packets that its flow sent before.
  while (!queue_.express().empty()) {
    take_express(now);
    dispatch(now_);
  }
  Sealing& batch = next_batch();
  take_bulk(now, batch);
  const Nanos next = next_turn(now, !batch.empty());
  const bool handed_in = dispatch(batch);
  // Nothing else to do: it waits for the pool, for no longer than it would have sealed itself.
  if (!handed_in && collected_ < handed_in_) collect();
  while (collected_ < handed_in_ && pool_->done(pooled_[collected_ % pooled_.size()])) collect();
  return collected_ < handed_in_ ? 0 : next;
}

void Outbound::take_express(const Now& now) {
  const std::lock_guard lock(state_.mutex);
  while (!now_.full()) {
    const auto burst = queue_.pop_express(now.boot_ns);
    if (!burst) return;
    join(now, now_, *burst, queue::Lane::express);
  }
}

void Outbound::take_bulk(const Now& now, Sealing& batch) {
  sent_bulk_ = false;
  if (queue_.bulk().empty()) return;
  const std::lock_guard lock(state_.mutex);
  if (waits_) ask_for_paces(now);
  const queue::FairQueue::Gate gate = [this, &now](PeerId id) {
    Peer* peer = waits_ ? state_.core.find(id) : nullptr;
    if (!peer) return queue::Pacer::unlimited;
    return owner_lags(*peer) ? 0 : peer->pacer.allowance(now.boot_ns);
  };
  while (!batch.full()) {
    const auto burst = queue_.pop_bulk(now.boot_ns, gate, batch.room());
    if (!burst) return;
    if (Peer* peer = state_.core.find(burst->peer)) peer->pacer.sent(now.boot_ns, burst->bytes);
    sent_bulk_ = true;
    join(now, batch, *burst, queue::Lane::bulk);
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
Nanos Outbound::next_turn(const Now& now, bool sends) {
  state_.express_dropped.store(queue_.express().dropped(), std::memory_order_relaxed);
  state_.bulk_dropped.store(queue_.bulk().dropped(), std::memory_order_relaxed);
  state_.bulk_late.store(queue_.bulk().late(), std::memory_order_relaxed);
  state_.bulk_queued.store(queue_.bulk().bytes(), std::memory_order_relaxed);
  state_.bulk_wait.store(queue_.bulk().wait(), std::memory_order_relaxed);
  if (sends && !queue_.bulk().empty()) return 0;
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

// The owner has enough to carry, or will have.
bool Outbound::owner_lags(const Peer& peer) const {
  return peer.path.kind == PathKind::external && (state_.events.size() >= owner_ahead || collected_ < handed_in_);
}

// Locked. Stages the burst when there is nothing to seal with.
void Outbound::join(const Now& now, Sealing& batch, const queue::Burst& burst, queue::Lane lane) {
  Peer* peer = state_.core.find(burst.peer);
  const bool held = !peer || !state_.core.session_for_data(now, *peer, effects_);
  if (held) {
    if (peer) stage(*peer, burst);
    if (burst.last) queue_.free(burst.slot);
    return;
  }
  state_.core.data_sent(now, *peer, burst.bytes, burst.count);
  queue_.leaves(burst.slot);
  batch.add(*peer, burst, queue_[burst.slot], lane);
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

// Whether the pool has something of this flow.
bool Outbound::seals(PeerId peer, uint64_t flow) const {
  for (uint64_t i = collected_; i < handed_in_; i++) {
    if (pooled_[i % pooled_.size()].holds(peer, flow)) return true;
  }
  return false;
}

// Handing bulk in is worth it while more waits behind it; and what the pool has must not be passed.
Sealing& Outbound::next_batch() {
  const bool alone = collected_ == handed_in_ && queue_.bulk().bytes() <= Sealing::max_bytes;
  if (!pool_ || alone || queue_.bulk().empty()) return now_;
  if (handed_in_ - collected_ == pooled_.size()) collect();
  return pooled_[handed_in_ % pooled_.size()];
}

// Whether the pool has it now; otherwise it has left.
bool Outbound::dispatch(Sealing& batch) {
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    wake = state_.oversleeps();
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
  if (batch.empty()) return false;
  if (&batch == &now_) {
    batch.run();
    transmit(batch);
    return false;
  }
  pool_->hand_in(batch);
  handed_in_++;
  return true;
}

// What was handed in first leaves first.
void Outbound::collect() {
  Sealing& batch = pooled_[collected_ % pooled_.size()];
  pool_->complete(batch);
  collected_++;
  transmit(batch);
}

void Outbound::transmit(Sealing& batch) {
  for (const Sealing::Message& message : batch.messages()) {
    const Sealing::Flow& flow = *message.flow;
    sender_.add(flow.path, flow.peer, message.bytes, flow.lane);
    sender_.add(flow.duplicate, flow.peer, message.bytes, flow.lane);
  }
  sender_.flush();
  state_.tx_dropped += batch.dropped();
  batch.each_burst([this](const queue::Burst& burst) { queue_.has_left(burst); });
  batch.clear();
}

}  // namespace wg
