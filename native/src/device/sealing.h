// What leaves in one go: bursts of the queue, cut to their paths and sealed where they lie or in memory of its own, by the
// thread that sends or by one of the pool's.
#pragma once

#include "crypto_pool.h"
#include "host_queue.h"
#include "peer.h"

namespace wg {

class Sealing final : public CryptoWork {
 public:
  /// Bursts that fit, and bytes: those of the longest send.
  static constexpr size_t max_bursts = 64, max_bytes = udp::SendBatch::max_send;

  /// What leaves to one peer.
  struct Flow {
    PeerId peer;
    std::shared_ptr<Session> session;
    Path path, duplicate;
    /// The longest inner packet that its path carries.
    size_t limit;
    queue::Lane lane;
  };
  struct Message {
    ByteView bytes;
    const Flow* flow;
  };

  Sealing();

  bool empty() const { return jobs_.empty(); }
  /// Where another packet would not fit it would leave in a send of its own.
  bool full() const { return jobs_.size() == max_bursts || bytes_ + packet_bytes > max_bytes; }
  size_t room() const { return max_bytes - std::min(bytes_, max_bytes); }
  /// A burst of `frame` for a peer with a session; it gets its counters now. The frame must stay until `clear`.
  void add(const Peer& peer, const queue::Burst& burst, HostFrame& frame, queue::Lane lane);
  /// Whether it has a burst of this flow.
  bool holds(PeerId peer, uint64_t flow) const;

  /// Cuts and seals. Any thread, once.
  void run() override;

  /// After `run`: in the order in which they are to leave.
  std::span<const Message> messages() const { return messages_; }
  /// Packets that could not be cut to fit their path.
  size_t dropped() const { return dropped_; }
  template <typename Visit>
  void each_burst(const Visit& visit) const {
    for (const Job& job : jobs_) visit(job.burst);
  }
  void clear();

 private:
  /// Of a packet on most paths.
  static constexpr size_t packet_bytes = 1'500;

  struct Job {
    queue::Burst burst;
    HostFrame* frame;
    /// What of a frame this burst is.
    std::optional<offload::Segmenter> cut;
    const Flow* flow;
    /// Of the first packet; one for each follows. Those of packets that leave in fragments stay unused.
    uint64_t counter;
  };

  void seal_job(Job& job);
  void seal_cut(Job& job);
  void seal_fragments(const Flow& flow, ByteView packet);
  void seal(const Flow& flow, uint64_t counter, uint8_t* packet, size_t length);
  uint8_t* place(size_t length);

  std::vector<Flow> flows_;
  std::vector<Job> jobs_;
  std::vector<Message> messages_;
  size_t bytes_ = 0, dropped_ = 0;
  Aead aead_;
  const Session* keyed_ = nullptr;
  // Cut packets and fragments until they have left.
  const std::unique_ptr<uint8_t[]> cut_, copy_;
  size_t cut_used_ = 0;
};

}  // namespace wg
