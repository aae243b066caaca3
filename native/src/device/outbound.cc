#include "outbound.h"

#include "mss.h"

namespace wg {
namespace {

/// Cut packets that leave together; those of two frames of the host's.
constexpr size_t cut_room = 163'840;

}  // namespace

Outbound::Outbound(State& state, bool patient)
    : state_(state),
      sender_(state, patient),
      cut_(new uint8_t[cut_room]),
      copy_(data_overhead + offload::max_frame + 15) {
  // Jobs and what is being sent point into flows: these may not move.
  flows_.reserve(HostReader::burst_frames);
  jobs_.reserve(HostReader::burst_frames);
  fanout_.reserve(HostReader::burst_frames);
}

void Outbound::send(std::span<HostFrame> frames) {
  const Now now = read_clocks();
  for (HostFrame& frame : frames) {
    const bool whole = frame.offload.kind != offload::Kind::none;
    // A field outside its packet: nothing that a checksum could mend.
    if (!whole && !offload::complete_checksum(frame.packet, frame.offload)) frame.packet = {};
  }
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    for (const HostFrame& frame : frames) route(now, frame);
    wake = state_.oversleeps();
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
  for (Job& job : jobs_) transmit(job);
  finish();
  for (const HostFrame& frame : fanout_) fan_out(now, frame);
  fanout_.clear();
}

// Locked.
void Outbound::route(const Now& now, const HostFrame& frame) {
  const auto inner = InnerHeader::parse(frame.packet);
  if (inner && state_.core.is_fanout(*inner)) {
    fanout_.push_back(frame);
    return;
  }
  Peer* peer = inner ? state_.core.route(*inner) : nullptr;
  if (peer) {
    join_flow(now, *peer, frame);
  } else {
    state_.core.counters().route_misses++;
  }
}

// Locked. Makes a flow unless the last one is this peer's; stages the frame when there is nothing to seal with.
void Outbound::join_flow(const Now& now, Peer& peer, const HostFrame& frame) {
  state_.core.follow_host(now, peer, frame.packet);
  const size_t limit = peer.inner_limit;
  std::optional<offload::Segmenter> cut;
  if (frame.offload.kind != offload::Kind::none) {
    cut = offload::Segmenter::begin(frame.packet, frame.offload, limit);
    if (!cut) {
      state_.core.counters().tx_dropped++;
      return;
    }
  }
  const std::shared_ptr<Session>& session = state_.core.session_for_data(now, peer, effects_);
  if (!session) return stage(peer, frame, cut);
  if (flows_.empty() || flows_.back().peer != peer.id) {
    flows_.push_back({peer.id, session, peer.path, peer.duplicate, limit});
  }
  size_t sealed = Session::sealed_size(cut ? cut->last() : frame.packet.size(), limit);
  if (cut) sealed += (cut->count() - 1) * Session::sealed_size(cut->longest(), limit);
  state_.core.data_sent(now, peer, sealed, cut ? cut->count() : 1);
  jobs_.push_back({frame, flows_.size() - 1, cut});
}

void Outbound::stage(Peer& peer, const HostFrame& frame, std::optional<offload::Segmenter> cut) {
  if (!cut) return state_.core.stage(peer, frame.packet);
  while (!cut->done()) {
    const ByteSpan packet(copy_.data(), cut->next_length());
    cut->next(packet.data());
    state_.core.stage(peer, packet);
  }
}

void Outbound::transmit(Job& job) {
  const Flow& flow = flows_[job.flow];
  if (job.cut) return transmit_packets(flow, *job.cut);
  const ByteSpan packet = job.frame.packet;
  clamp_mss(packet, flow.limit);
  if (packet.size() > flow.limit) return transmit_fragments(flow, packet);
  seal(flow, packet.data(), packet.size());
}

void Outbound::transmit_packets(const Flow& flow, offload::Segmenter& cut) {
  while (!cut.done()) {
    const size_t length = cut.next_length();
    if (length > flow.limit) {
      // A datagram, which has to stay one: it leaves in fragments.
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

// A copy for each peer that takes part. Rare, so each leaves alone, from one buffer.
void Outbound::fan_out(const Now& now, const HostFrame& frame) {
  {
    const std::lock_guard lock(state_.mutex);
    for (const auto& [id, peer] : state_.core.peers()) {
      if (peer->config.fanout && peer->path.kind != PathKind::none) join_flow(now, *peer, frame);
    }
  }
  sender_.run(effects_);
  for (Job& job : jobs_) {
    if (!job.cut) {
      std::copy(frame.packet.begin(), frame.packet.end(), copy_.begin() + data_header_size);
      job.frame.packet = {copy_.data() + data_header_size, frame.packet.size()};
    }
    transmit(job);
    flush();
  }
  finish();
}

void Outbound::flush() {
  sender_.flush();
  cut_used_ = 0;
}

void Outbound::finish() {
  flush();
  jobs_.clear();
  flows_.clear();
}

}  // namespace wg
