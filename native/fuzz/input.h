// Turns a fuzzer's bytes into a sequence of choices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace wg::fuzz {

/// Reads forward; beyond the end everything is zero and empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t byte() {
    if (rest_.empty()) return 0;
    const uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  uint16_t number() {
    const uint8_t low = byte();
    return static_cast<uint16_t>(low | byte() << 8);
  }
  /// At most `max` bytes, by a length of two bytes in front of them. A copy, so that reading beyond it is seen.
  std::vector<uint8_t> block(size_t max) {
    const size_t size = std::min({static_cast<size_t>(number()), max, rest_.size()});
    const std::vector<uint8_t> out(rest_.begin(), rest_.begin() + static_cast<ptrdiff_t>(size));
    rest_ = rest_.subspan(size);
    return out;
  }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace wg::fuzz
