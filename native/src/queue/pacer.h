// Keeps the queue of a player's modem short: bulk to one peer is paced to what the path carries, once its delay says that a
// queue stands there. Pure: times are arguments.
//
//   1. While bulk waits, probes measure the path (`probe_due`): round trip, one-way delay, and what the peer has received.
//   2. A queue of more than 10 ms: bulk is held until a probe that was sent behind it comes back, which is when the queue
//      has drained, and then leaves at 0.9 of the rate that the peer acknowledged (which in a transfer's first moments gets
//      known only during the hold).
//   3. From there the rate rises, slowly near the last rate that was too much, then faster; at 5 ms it falls again.
//   4. A rate beyond what any link carries, or half a minute without bulk, ends it.
#pragma once

#include <cmath>
#include <limits>

#include "delay.h"

namespace wg::queue {

/// What the peer says in answer to a probe.
struct PathReport {
  /// When the probe left and when its answer came (our clock), and when the peer had it (its clock).
  Nanos sent, answered, received;
  /// Bytes that the peer has received from us since it can remember.
  uint64_t bytes;
};

class Pacer {
 public:
  static constexpr size_t unlimited = std::numeric_limits<size_t>::max();

  /// Bulk waits or leaves for this peer. True when a probe is to be sent now.
  bool probe_due(Nanos now);
  void report(const PathReport& report);

  /// Bytes of bulk that may leave now.
  size_t allowance(Nanos now);
  /// When there is an allowance again.
  Nanos next_send(Nanos now) const;
  void sent(Nanos now, size_t bytes);
  /// The path is another one: all that was learnt is void.
  void reset() { *this = Pacer(); }

  /// Bytes a second; 0 while not paced.
  double rate() const { return rate_; }

 private:
  /// What the peer had at a time of its clock.
  struct Mark {
    Nanos at;
    uint64_t bytes;
  };

  void acknowledge(const PathReport& report);
  double acknowledged() const;
  Nanos packet_time() const;
  void cut(Nanos now);
  void ease(Nanos now);
  void grow(Nanos now);

  QueueDelay delay_;
  Mark mark_{};
  /// Rates of the last stretches of time.
  std::array<double, 4> rates_{};

  double rate_ = 0;
  double credit_ = 0;
  Nanos credited_at_ = 0;
  Nanos held_since_ = 0, held_until_ = 0;
  /// When the rate fell and when it rose: what was measured before the fall says nothing about what is now.
  Nanos fell_at_ = 0, grew_at_ = 0;
  uint32_t clean_reports_ = 0;
  /// Whether bulk had to wait since the rate rose: only then it may rise again.
  bool limiting_ = false;

  Nanos bulk_since_ = 0, bulk_last_ = 0;
  Nanos probed_at_ = 0, answered_at_ = 0;
  size_t since_probe_ = 0;
  /// How many were sent.
  uint64_t probes_ = 0;
};

}  // namespace wg::queue
