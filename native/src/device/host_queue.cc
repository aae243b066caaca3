#include "host_queue.h"

#include "../noise/messages.h"

namespace wg {
namespace {

/// Bytes of a packet in a small place: that of an Ethernet, and some more.
constexpr size_t small_packet = 1'920;

/// Header before a packet, padding and tag behind it, in an odd number of cache lines, so that places do not compete for the
/// same ones.
constexpr size_t place_for(size_t packet) {
  const size_t lines = (data_overhead + packet + 15 + 63) / 64;
  return (lines | 1) * 64;
}
constexpr size_t large_place = place_for(offload::max_frame), small_place = place_for(small_packet);

/// Tuning: packets of games that wait at once are few; more is a flood, and the longest flow pays for it.
constexpr size_t express_bytes = 256 * 1'024;
/// Tuning: one flow of TCP has no more under way on a LAN.
constexpr size_t bulk_bytes = 4 << 20;
/// Tuning: a game's packets go round by packets.
constexpr uint32_t express_quantum = 400;

}  // namespace

HostQueue::HostQueue(const HostQueueOptions& options)
    : options_(options),
      memory_(new uint8_t[options.frames * large_place + options.packets * small_place]),
      frames_(options.frames + options.packets),
      express_({.slots = frames_.size(), .limit_bytes = express_bytes, .codel = false, .flow_quantum = express_quantum},
               [this](Index slot) { free(slot); }),
      bulk_({.slots = frames_.size(), .limit_bytes = bulk_bytes}, [this](Index slot) { free(slot); }) {
  free_large_.reserve(options.frames);
  free_small_.reserve(options.packets);
  for (Index slot = 0; slot < frames_.size(); slot++) give_back(slot);
  spare_ = take(free_large_);
}

ByteSpan HostQueue::memory_of(Index slot) {
  const size_t small = is_large(slot) ? 0 : slot - options_.frames;
  const size_t at = is_large(slot) ? slot * large_place : options_.frames * large_place + small * small_place;
  return {&memory_[at + data_header_size], is_large(slot) ? offload::max_frame : small_packet};
}

ByteSpan HostQueue::room() { return memory_of(spare_); }

std::optional<Index> HostQueue::keep(size_t length, const offload::Offload& offload) {
  const ByteSpan read = room().first(length);
  const Index small = length <= small_packet ? take(free_small_) : queue::nothing;
  if (small != queue::nothing) return fill(small, read, offload);
  const Index next = take(free_large_);
  if (next == queue::nothing) return std::nullopt;
  const Index kept = std::exchange(spare_, next);
  frames_[kept] = {read, offload, {}};
  return kept;
}

std::optional<Index> HostQueue::copy(Index slot) {
  const HostFrame& from = frames_[slot];
  const Index to = from.packet.size() <= small_packet ? take(free_small_) : take(free_large_);
  return to == queue::nothing ? std::nullopt : std::optional(fill(to, from.packet, from.offload));
}

Index HostQueue::fill(Index slot, ByteView bytes, const offload::Offload& offload) {
  const ByteSpan place = memory_of(slot).first(bytes.size());
  copy_bytes(bytes, place.data());
  frames_[slot] = {place, offload, {}};
  return slot;
}

// Room for what is new: bulk gives first.
Index HostQueue::take(std::vector<Index>& free) {
  while (free.empty() && (bulk_.shed() || express_.shed())) {
  }
  if (free.empty()) return queue::nothing;
  const Index slot = free.back();
  free.pop_back();
  return slot;
}

void HostQueue::free(Index slot) {
  HostFrame& frame = frames_[slot];
  frame.gone = true;
  if (frame.leaving == 0) give_back(slot);
}

void HostQueue::has_left(const queue::Burst& burst) {
  HostFrame& frame = frames_[burst.slot];
  frame.gone |= burst.last;
  if (--frame.leaving == 0 && frame.gone) give_back(burst.slot);
}

// A small packet of a flow whose bulk still waits keeps its place behind it: TCP would take the others for lost.
void HostQueue::push(Nanos now, Index slot, const queue::Class& what, const queue::Packet& packet, bool behind) {
  frames_[slot].flow = packet.flow;
  const bool passes = what.lane == queue::Lane::express && !behind && !bulk_.holds(packet.peer, packet.flow);
  (passes ? express_ : bulk_).push(now, slot, packet);
}

std::optional<queue::Burst> HostQueue::pop_express(Nanos now) {
  static const queue::FairQueue::Gate open = [](uint32_t) { return offload::max_frame; };
  return express_.pop(now, open, offload::max_frame);
}

}  // namespace wg
