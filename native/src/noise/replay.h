// Sliding window over counters (RFC 6479): each is accepted once, in any order, while it is not too old.
#pragma once

#include <array>
#include <cstdint>

namespace wg {

class ReplayWindow {
 public:
  /// Counters this far behind the highest are still told apart.
  static constexpr uint64_t size = 8192;

  /// True once for each counter; false for a repeated one and for one older than the window.
  bool accept(uint64_t counter) {
    if (counter >= next_) {
      slide_to(counter);
    } else if (next_ - counter > size) {
      return false;
    }
    uint64_t& block = blocks_[(counter / 64) % block_count];
    const uint64_t bit = uint64_t{1} << (counter % 64);
    if (block & bit) return false;
    block |= bit;
    return true;
  }

 private:
  // One block more than the window, so that clearing the block ahead never loses part of it.
  static constexpr uint64_t block_count = size / 64 + 1;

  void slide_to(uint64_t counter) {
    const uint64_t current = next_ == 0 ? 0 : (next_ - 1) / 64;
    const uint64_t target = counter / 64;
    const uint64_t steps = target - current;
    for (uint64_t i = 1; i <= steps && i <= block_count; i++) blocks_[(current + i) % block_count] = 0;
    next_ = counter + 1;
  }

  uint64_t next_ = 0;
  std::array<uint64_t, block_count> blocks_{};
};

}  // namespace wg
