// Packets and frames from the host until it is their turn to leave: small and marked ones first, the rest by FQ-CoDel. All
// memory is there from the start. One thread.
#pragma once

#include <memory>
#include <utility>

#include "../offload/segmenter.h"
#include "../queue/classify.h"
#include "../queue/fair_queue.h"

namespace wg {

using queue::Index;

/// A packet is sealed where it lies: the 16 bytes before it and the 31 behind it are its holder's to write.
struct HostFrame {
  ByteSpan packet;
  offload::Offload offload;
  /// What is left of a frame that has to be cut.
  std::optional<offload::Segmenter> cut;
  /// Of `classify`, once it has been queued.
  uint64_t flow = 0;
  /// Bursts of it that are leaving, and whether nothing of it is in the queue any more.
  uint32_t leaving = 0;
  bool gone = false;
};

struct HostQueueOptions {
  /// Places for frames of segmentation offload, and for packets.
  size_t frames, packets;
};

/// Tuning: what TCP sends in 5 ms at 5 Gbit/s waits without a loss. Untouched memory costs nothing.
constexpr HostQueueOptions host_queue_places{72, 2'048};

class HostQueue {
 public:
  explicit HostQueue(const HostQueueOptions& options);

  /// Where the next frame is to be written, as long as any can be.
  ByteSpan room();
  /// Keeps what was written to `room`. What waits longest is dropped when there is no place: then never nothing, unless all
  /// places are in the caller's hands.
  std::optional<Index> keep(size_t length, const offload::Offload& offload);
  /// The same packet in a place of its own.
  std::optional<Index> copy(Index slot);
  HostFrame& operator[](Index slot) { return frames_[slot]; }
  /// Gives the place back, once nothing of it is leaving.
  void free(Index slot);
  /// A burst of it leaves: until it has, the place stays as it is, even if the queue drops the rest.
  void leaves(Index slot) { frames_[slot].leaving++; }
  void has_left(const queue::Burst& burst);

  /// `behind`: bulk of the same flow is leaving, and must not be passed.
  void push(Nanos now, Index slot, const queue::Class& what, const queue::Packet& packet, bool behind);
  std::optional<queue::Burst> pop_express(Nanos now);
  std::optional<queue::Burst> pop_bulk(Nanos now, const queue::FairQueue::Gate& gate, size_t most) {
    return bulk_.pop(now, gate, most);
  }

  bool empty() const { return express_.empty() && bulk_.empty(); }
  const queue::FairQueue& express() const { return express_; }
  const queue::FairQueue& bulk() const { return bulk_; }

 private:
  ByteSpan memory_of(Index slot);
  bool is_large(Index slot) const { return slot < options_.frames; }
  Index take(std::vector<Index>& free);
  void give_back(Index slot) { (is_large(slot) ? free_large_ : free_small_).push_back(slot); }
  Index fill(Index slot, ByteView bytes, const offload::Offload& offload);

  const HostQueueOptions options_;
  std::unique_ptr<uint8_t[]> memory_;
  std::vector<HostFrame> frames_;
  // The place freed last is used first: it is still in the processor's cache.
  std::vector<Index> free_large_, free_small_;
  Index spare_;
  queue::FairQueue express_, bulk_;
};

}  // namespace wg
