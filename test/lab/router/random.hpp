// Seeded randomness: the same configuration and the same packets give the same choices.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

namespace natbox {

class Random {
 public:
  /** A stream of its own for every (seed, name), so that one node's draws do not disturb another's. */
  Random(std::uint64_t seed, std::string_view name) : engine_(mix(seed, name)) {}

  /** Uniform in [0, 1). */
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

  /** Uniform in [0, bound); bound must be positive. */
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(unit() * bound); }

  /** Number of arrivals where `mean` are expected. */
  std::uint32_t poisson(double mean) { return mean <= 0 ? 0 : std::poisson_distribution<std::uint32_t>(mean)(engine_); }

 private:
  static std::uint64_t mix(std::uint64_t seed, std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;  // FNV-1a over the name
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return hash;
  }

  std::mt19937_64 engine_;
};

}  // namespace natbox
