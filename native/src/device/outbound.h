// From the host to the peers: queue (routed, locked), and when its turn comes cut to the path, seal, send. One for each thread
// that sends.
#pragma once

#include "host_queue.h"
#include "sender.h"

namespace wg {

class Outbound {
 public:
  /// `waits`: the thread is there for this alone, and may wait for room in a full socket and for a path's pace.
  Outbound(State& state, const HostQueueOptions& places, bool waits);

  /// Where the next frame is to be written, and that it was. Frames are routed in batches: at `admit`, or when one is full.
  ByteSpan room() { return queue_.room(); }
  void arrived(size_t length, const offload::Offload& offload);
  /// In the place of `arrived`, for a packet that came when nothing else was there: a small one leaves at once. False when it
  /// did not, and has to take the ordinary way; `offload` is then what is left to do.
  bool send_alone(size_t length, offload::Offload& offload);
  void admit();
  /// What frames that were routed since the last call are answered with, for the host.
  std::vector<std::vector<uint8_t>> take_answers() { return std::exchange(answers_, {}); }
  /// Sends the small packets that wait, then one burst of bulk. When to come again, unless the host has something: 0 for
  /// at once.
  Nanos send();

 private:
  /// Frames that are routed, and packets that leave, under one look at the lock.
  static constexpr size_t batch = 64;

  struct Admission {
    Index slot;
    queue::Class what;
  };
  // What leaves in one go to one peer.
  struct Flow {
    PeerId peer;
    std::shared_ptr<Session> session;
    Path path, duplicate;
    /// The longest inner packet that its path carries.
    size_t limit;
  };
  struct Job {
    queue::Burst burst;
    size_t flow;
  };

  void route(const Now& now, const Admission& admission);
  void fan_out(const Now& now, const Admission& admission);
  void enqueue(const Now& now, Peer& peer, Index slot, const queue::Class& what);

  void take_express(const Now& now);
  void take_bulk(const Now& now);
  Nanos next_turn(const Now& now);
  void ask_for_paces(const Now& now);
  bool owner_lags(const Peer& peer) const;
  void join_flow(const Now& now, const queue::Burst& burst);
  void stage(Peer& peer, const queue::Burst& burst);
  void dispatch();
  void transmit(const Job& job);
  void transmit_packets(const Flow& flow, offload::Segmenter& cut, size_t count);
  void transmit_fragments(const Flow& flow, ByteView packet);
  void seal(const Flow& flow, uint8_t* packet, size_t length);
  uint8_t* place(size_t length);
  void flush();

  State& state_;
  const bool waits_;
  const uint64_t seed_;
  Sender sender_;
  Effects effects_;
  HostQueue queue_;
  std::vector<Admission> arrived_;
  std::vector<Flow> flows_;
  std::vector<Job> jobs_;
  std::vector<std::vector<uint8_t>> answers_;
  // Cut packets and fragments until they have left.
  std::unique_ptr<uint8_t[]> cut_;
  size_t cut_used_ = 0;
  std::vector<uint8_t> copy_;
};

}  // namespace wg
