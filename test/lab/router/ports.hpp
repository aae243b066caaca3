// How a NAT draws external ports for new mappings.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "json.hpp"
#include "packet.hpp"
#include "random.hpp"

namespace natbox {

struct PortOptions {
  enum class Kind { kPreserved, kSequential, kBlock, kRandom };
  Kind kind = Kind::kPreserved;
  std::uint16_t low = 1024;
  std::uint16_t high = 65535;
  /** Sequential: signed distance between one mapping and the next. */
  int step = 1;
  /** Sequential: first port; the low end (or the high one for a negative step) when zero. */
  std::uint16_t start = 0;
  /** Sequential: ports taken by others behind the same NAT, per second. */
  double foreignPerSecond = 0;
  /** Block: ports of one inside host. */
  std::uint16_t blockSize = 1024;

  static PortOptions from(const Json& json);
};

class PortAllocator {
 public:
  using IsFree = std::function<bool(std::uint16_t)>;

  PortAllocator(const PortOptions& options, Random& random);

  /** An external port for a mapping of this inside endpoint, or nothing when no port is left to it. */
  std::optional<std::uint16_t> draw(const Endpoint& inside, Time now, const IsFree& isFree);

  /** Forgets blocks and returns the counter to its start, as after a reboot. */
  void reset();

 private:
  std::optional<std::uint16_t> drawSequential(Time now, const IsFree& isFree);
  std::optional<std::uint16_t> drawWithin(std::uint16_t low, std::uint16_t high, const IsFree& isFree);
  void advance(std::int64_t count);
  std::uint32_t span() const { return static_cast<std::uint32_t>(options_.high - options_.low) + 1; }

  PortOptions options_;
  Random& random_;
  std::uint32_t next_ = 0;  // sequential: offset from `low` of the next port
  Time lastDraw_ = 0;
  std::map<std::uint32_t, std::uint16_t> blocks_;  // inside address to first port of its block
};

}  // namespace natbox
