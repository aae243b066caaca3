// Initiations a source may make while under load: a token bucket for each IPv4 address or IPv6 /64.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "cookie.h"

namespace wg {

class RateLimiter {
 public:
  static constexpr Nanos per_token = 50'000'000;  // 20 a second, as other implementations
  static constexpr Nanos burst = 5 * per_token;
  static constexpr size_t max_sources = 16'384;

  /// True when `source` may make one more handshake now.
  bool allow(uint64_t source, Nanos now) {
    if (buckets_.size() >= max_sources) forget_idle(now);
    if (buckets_.size() >= max_sources) return false;
    const auto [entry, fresh] = buckets_.try_emplace(source, Bucket{burst, now});
    Bucket& bucket = entry->second;
    bucket.tokens = std::min(burst, bucket.tokens + (now - bucket.at));
    bucket.at = now;
    if (bucket.tokens < per_token) return false;
    bucket.tokens -= per_token;
    return true;
  }

 private:
  struct Bucket {
    Nanos tokens, at;
  };

  // A bucket that is full again says nothing.
  void forget_idle(Nanos now) {
    std::erase_if(buckets_, [now](const auto& entry) { return now - entry.second.at >= burst; });
  }

  std::unordered_map<uint64_t, Bucket> buckets_;
};

}  // namespace wg
