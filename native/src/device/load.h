// Whether handshakes come faster than they are worth: then their senders have to prove their address first.
#pragma once

#include "../noise/cookie.h"

namespace wg {

class LoadMonitor {
 public:
  /// Tuning: well-formed handshake messages a second above which the device is under load. One costs about 0.2 ms, so this
  /// is some 5 % of a core; a full room of 250 that restarts at once pays one more round trip.
  static constexpr uint32_t messages_a_second = 200;
  static constexpr Nanos window = 1'000'000'000;

  void count(Nanos now) {
    if (now - window_began_ >= window) {
      window_began_ = now;
      messages_ = 0;
    }
    if (++messages_ > messages_a_second) until_ = now + window;
  }

  bool under_load(Nanos now) const { return now < until_; }

 private:
  Nanos window_began_ = 0;
  Nanos until_ = 0;
  uint32_t messages_ = 0;
};

}  // namespace wg
