// From the host to the peers: queue (routed, locked), and when its turn comes cut to the path, seal, send. One for each thread
// that sends.
#pragma once

#include "sealing.h"
#include "sender.h"

namespace wg {

class Outbound {
 public:
  /// `waits`: the thread is there for this alone, and may wait for room in a full socket and for a path's pace. With a `pool`
  /// bulk is sealed there while more is read.
  Outbound(State& state, const HostQueueOptions& places, bool waits, CryptoPool* pool = nullptr);
  /// What is being sealed leaves before.
  ~Outbound();

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
  /// Whether the last call sent any bulk.
  bool sent_bulk() const { return sent_bulk_; }

 private:
  /// Frames that are routed under one look at the lock.
  static constexpr size_t batch = 64;

  struct Admission {
    Index slot;
    queue::Class what;
  };

  void note_play(const Now& now, ByteView packet);
  void route(const Now& now, const Admission& admission);
  void fan_out(const Now& now, const Admission& admission);
  void enqueue(const Now& now, Peer& peer, Index slot, const queue::Class& what);

  void take_express(const Now& now);
  void take_bulk(const Now& now, Sealing& batch);
  Nanos next_turn(const Now& now, bool sends);
  void ask_for_paces(const Now& now);
  bool owner_lags(const Peer& peer) const;
  void join(const Now& now, Sealing& batch, const queue::Burst& burst, queue::Lane lane);
  void stage(Peer& peer, const queue::Burst& burst);
  bool seals(PeerId peer, uint64_t flow) const;
  Sealing& next_batch();
  bool dispatch(Sealing& batch);
  void collect();
  void transmit(Sealing& batch);

  State& state_;
  const bool waits_;
  const uint64_t seed_;
  Sender sender_;
  Effects effects_;
  HostQueue queue_;
  std::vector<Admission> arrived_;
  std::vector<std::vector<uint8_t>> answers_;
  // For packets that have to be staged.
  std::vector<uint8_t> copy_;
  // What leaves at once.
  Sealing now_;
  CryptoPool* const pool_;
  // What leaves once the pool has sealed it: a ring; positions only rise.
  std::vector<Sealing> pooled_;
  uint64_t collected_ = 0, handed_in_ = 0;
  bool sent_bulk_ = false;
};

}  // namespace wg
