// Controlled delay (RFC 8289): when to drop the head of a queue that does not get shorter.
#pragma once

#include <cmath>

#include "../noise/bytes.h"

namespace wg::queue {

/// RFC 8289, section 4.4.
constexpr Nanos codel_target = 5'000'000;
constexpr Nanos codel_interval = 100'000'000;

class Codel {
 public:
  /// Called once for each packet at the head, with its time in the queue. `backlog` is what waits, itself included, and
  /// below `largest` bytes (one packet) nothing is dropped. True: drop it and ask again with the next one.
  bool drops(Nanos now, Nanos sojourn, size_t backlog, size_t largest) {
    const bool late = stays_late(now, sojourn, backlog, largest);
    if (dropping_) return goes_on(now, late);
    if (!late) return false;
    dropping_ = true;
    // Begins near the rate that worked last time, if that was a moment ago (section 5.5).
    const uint32_t recent = count_ - last_count_;
    count_ = recent > 1 && now - next_ < 16 * codel_interval ? recent : 1;
    last_count_ = count_;
    next_ = control_law(now);
    return true;
  }

  /// The queue is empty.
  void empty() {
    above_since_ = 0;
    dropping_ = false;
  }

 private:
  // Section 5.4: above the target for a whole interval.
  bool stays_late(Nanos now, Nanos sojourn, size_t backlog, size_t largest) {
    if (sojourn < codel_target || backlog <= largest) {
      above_since_ = 0;
      return false;
    }
    if (above_since_ == 0) above_since_ = now;
    return now - above_since_ >= codel_interval;
  }

  bool goes_on(Nanos now, bool late) {
    if (!late) {
      dropping_ = false;
      return false;
    }
    if (now < next_) return false;
    count_++;
    next_ = control_law(next_);
    return true;
  }

  // Each further drop comes sooner, by the square root: TCP's rate falls in proportion.
  Nanos control_law(Nanos from) const {
    return from + static_cast<Nanos>(static_cast<double>(codel_interval) / std::sqrt(static_cast<double>(count_)));
  }

  Nanos above_since_ = 0, next_ = 0;
  uint32_t count_ = 0, last_count_ = 0;
  bool dropping_ = false;
};

}  // namespace wg::queue
