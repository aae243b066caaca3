// One direction of a link: delay, jitter, loss, reordering, a bottleneck with a drop-tail queue, an MTU.
#pragma once

#include <functional>

#include "json.hpp"
#include "packet.hpp"
#include "random.hpp"
#include "schedule.hpp"

namespace natbox {

struct LinkOptions {
  Time delay = 0;
  /** Added to the delay, uniform in [0, jitter]; packets stay in order. */
  Time jitter = 0;
  double lossPct = 0;
  /** Share of packets that cross twice. */
  double duplicatePct = 0;
  /** Share of packets that are held back by `reorderDelay` while later ones pass. */
  double reorderPct = 0;
  Time reorderDelay = 5 * kMillisecond;
  /** Bottleneck in bit/s (zero: none) and the bytes that may wait before it. */
  double rateBps = 0;
  double queueBytes = 262144;
  std::size_t mtu = 65535;
  /** Whether a packet that is too big is answered with ICMP, or vanishes. */
  bool mtuIcmp = true;
  /** Routers on this link beyond the one at its end. */
  int hops = 0;

  /** Reads the members that are present, over the options as they stand. */
  void apply(const Json& json);
};

struct LinkStats {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0;
  std::uint64_t queueDrops = 0;
  std::uint64_t tooBig = 0;
};

class Link {
 public:
  using Deliver = std::function<void(Packet, Time)>;

  Link(LinkOptions options, Random random, Schedule& schedule, Deliver deliver, Deliver reject);

  /** Takes a packet; `deliver` gets it when it has crossed, `reject` gets one that is too big. */
  void send(Packet p, Time now);

  void configure(const Json& json) { options_.apply(json); }
  const LinkOptions& options() const { return options_; }
  const LinkStats& stats() const { return stats_; }

 private:
  void cross(Packet p, Time now);

  LinkOptions options_;
  Random random_;
  Schedule& schedule_;
  Deliver deliver_;
  Deliver reject_;
  LinkStats stats_;
  Time busyUntil_ = 0;
  Time lastArrival_ = 0;
};

}  // namespace natbox
