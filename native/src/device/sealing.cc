#include "sealing.h"

#include "mss.h"

namespace wg {
namespace {

/// Cut packets that leave together: those of two frames of the host's, which is more than `max_bytes` and the burst that
/// passes them, with the headers of fragments on the narrowest path.
constexpr size_t cut_room = 163'840;
/// As many as the smallest packets, and fragments of others.
constexpr size_t max_messages = 2'048;

constexpr size_t room_for(size_t length) { return data_overhead + ((length + 15) & ~size_t{15}); }

}  // namespace

Sealing::Sealing()
    : aead_(Key()), cut_(new uint8_t[cut_room]), copy_(new uint8_t[offload::max_frame]) {
  // Jobs and messages point into flows: these may not move.
  flows_.reserve(max_bursts);
  jobs_.reserve(max_bursts);
  messages_.reserve(max_messages);
}

// Makes a flow unless the last one is this peer's.
void Sealing::add(const Peer& peer, const queue::Burst& burst, HostFrame& frame, queue::Lane lane) {
  if (flows_.empty() || flows_.back().peer != peer.id) {
    flows_.push_back({peer.id, peer.current, peer.path, peer.duplicate, peer.inner_limit, lane});
  }
  const Flow& flow = flows_.back();
  const auto cut = frame.cut ? std::optional(frame.cut->take(burst.count)) : std::nullopt;
  jobs_.push_back({burst, &frame, cut, &flow, flow.session->reserve(burst.count)});
  bytes_ += burst.bytes;
}

bool Sealing::holds(PeerId peer, uint64_t flow) const {
  return std::ranges::any_of(jobs_, [=](const Job& job) { return job.burst.peer == peer && job.frame->flow == flow; });
}

void Sealing::run() {
  for (Job& job : jobs_) seal_job(job);
}

void Sealing::seal_job(Job& job) {
  if (job.cut) return seal_cut(job);
  const ByteSpan packet = job.frame->packet;
  clamp_mss(packet, job.flow->limit);
  if (packet.size() > job.flow->limit) return seal_fragments(*job.flow, packet);
  seal(*job.flow, job.counter, packet.data(), packet.size());
}

void Sealing::seal_cut(Job& job) {
  const Flow& flow = *job.flow;
  for (size_t i = 0; i < job.burst.count; i++) {
    const size_t length = job.cut->next_length();
    if (length > flow.limit) {
      // A datagram, which has to stay one, or a path that has changed: it leaves in fragments.
      job.cut->next(copy_.get());
      seal_fragments(flow, {copy_.get(), length});
      continue;
    }
    uint8_t* packet = place(length);
    if (!packet) continue;
    job.cut->next(packet);
    seal(flow, job.counter + i, packet, length);
  }
}

void Sealing::seal_fragments(const Flow& flow, ByteView packet) {
  const Fragmenter fragments(packet, flow.limit, flow.session->next_identification());
  if (fragments.count() == 0) dropped_++;
  for (size_t i = 0; i < fragments.count(); i++) {
    uint8_t* fragment = place(flow.limit);
    if (!fragment) return;
    const size_t length = fragments.write(i, {fragment, flow.limit});
    seal(flow, flow.session->reserve(1), fragment, length);
  }
}

// The packet lies behind the room for a header.
void Sealing::seal(const Flow& flow, uint64_t counter, uint8_t* packet, size_t length) {
  if (messages_.size() == max_messages) {
    dropped_++;
    return;
  }
  if (keyed_ != flow.session.get()) {
    keyed_ = flow.session.get();
    keyed_->key_sealer(aead_);
  }
  const ByteView sealed = flow.session->seal_with(aead_, counter, packet - data_header_size, length, flow.limit);
  if (!sealed.empty()) messages_.push_back({sealed, &flow});
}

// Where the next cut packet goes; they lie side by side. Null when there is no room, which is then counted.
uint8_t* Sealing::place(size_t length) {
  if (cut_used_ + room_for(length) > cut_room) {
    dropped_++;
    return nullptr;
  }
  uint8_t* packet = &cut_[cut_used_ + data_header_size];
  cut_used_ += room_for(length);
  return packet;
}

void Sealing::clear() {
  messages_.clear();
  jobs_.clear();
  flows_.clear();
  // Another session may come to lie where this one lay.
  keyed_ = nullptr;
  aead_.forget_key();
  bytes_ = dropped_ = cut_used_ = 0;
}

}  // namespace wg
