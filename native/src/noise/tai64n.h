// TAI64N timestamps of handshake initiations (https://cr.yp.to/libtai/tai64.html), which rise strictly.
#pragma once

#include "bytes.h"

namespace wg {

using Tai64n = Bytes<12>;

class Tai64nClock {
 public:
  /// A stamp later than every one before it. Its nanoseconds are coarse (2^24 ns), so that a stamp does not tell the
  /// exact clock of this machine.
  Tai64n stamp(int64_t wall_ns) {
    constexpr int64_t step = int64_t{1} << 24;
    int64_t coarse = wall_ns - wall_ns % step;
    if (coarse <= last_) coarse = last_ + step;
    last_ = coarse;
    Tai64n out;
    store_be64(out.data(), 0x400000000000000aULL + static_cast<uint64_t>(coarse / 1'000'000'000));
    store_be32(out.data() + 8, static_cast<uint32_t>(coarse % 1'000'000'000));
    return out;
  }

 private:
  int64_t last_ = 0;
};

}  // namespace wg
