// Whether a path's delay is that of a queue: above its minimum, and not only for a moment.
#pragma once

#include "../noise/bytes.h"

namespace wg::queue {

/// A minimum over the last 30 s, in ten steps: exact but for the oldest step.
class WindowedMinimum {
 public:
  static constexpr Nanos window = 30'000'000'000;

  void add(Nanos now, Nanos value) {
    const Nanos step = now / step_length;
    if (step > last_step_) {
      const Nanos gone = std::min<Nanos>(step - last_step_, steps);
      for (Nanos i = 1; i <= gone; i++) slot(last_step_ + i) = none;
      last_step_ = step;
    }
    slot(step) = std::min(slot(step), value);
  }

  /// Of at least one value within the window.
  Nanos get() const { return *std::ranges::min_element(slots_); }

 private:
  static constexpr Nanos steps = 10;
  static constexpr Nanos step_length = window / steps;
  static constexpr Nanos none = INT64_MAX;

  Nanos& slot(Nanos step) { return slots_[static_cast<size_t>(step % steps)]; }

  std::array<Nanos, steps> slots_ = [] {
    std::array<Nanos, steps> all;
    all.fill(none);
    return all;
  }();
  Nanos last_step_ = 0;
};

/// The queue on a path, from single measurements of its delay.
class QueueDelay {
 public:
  /// A probe that was sent at `sent` came back after `round_trip`, and took `one_way` by the difference of two clocks.
  /// The rise is the smaller one of both: a queue on the way back lengthens only the round trip, a clock that was set only
  /// the other.
  void add(Nanos now, Nanos round_trip, Nanos one_way) {
    round_trips_.add(now, round_trip);
    one_ways_.add(now, one_way);
    const Nanos rise = std::min(round_trip - round_trips_.get(), one_way - one_ways_.get());
    const Nanos step = rise - recent_[0];
    // Jitter turns at every second measurement, a queue rises and falls for long: only what turns counts.
    const bool turned = (step > 0) != (last_step_ > 0);
    const Nanos swing = turned ? std::min(std::abs(step), std::abs(last_step_)) : 0;
    samples_ = std::min(samples_ + 1, averaged);
    jitter_ += (swing - jitter_) / samples_;
    last_step_ = step;
    std::shift_right(recent_.begin(), recent_.end(), 1);
    recent_[0] = rise;
  }

  /// The least rise of the last few measurements, above what jitter explains: 0 for none.
  Nanos standing() const {
    if (samples_ < known_after) return 0;
    const Nanos wanted = std::clamp<Nanos>(fewest + jitter_ / 700'000, fewest, recent_.size());
    const Nanos least = *std::min_element(recent_.begin(), recent_.begin() + wanted);
    return std::max<Nanos>(0, least - jitter_factor * jitter_);
  }

  Nanos jitter() const { return jitter_; }

 private:
  /// Tuning: measurements that must agree. One more for each 0.7 ms of jitter, up to ten.
  static constexpr Nanos fewest = 2;
  /// Tuning: measurements until something is known about jitter, and over how many it is averaged.
  static constexpr Nanos known_after = 6, averaged = 32;
  /// Tuning: evenly distributed jitter of width w swings by about w / 6.
  static constexpr Nanos jitter_factor = 4;

  WindowedMinimum round_trips_, one_ways_;
  std::array<Nanos, 10> recent_{};
  Nanos samples_ = 0, last_step_ = 0, jitter_ = 0;
};

}  // namespace wg::queue
