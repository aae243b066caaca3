#include "link.hpp"

#include <algorithm>

namespace natbox {

void LinkOptions::apply(const Json& json) {
  const auto time = [&](const char* key, Time current) {
    const double fallback = static_cast<double>(current) / static_cast<double>(kMillisecond);
    return static_cast<Time>(json[key].number(fallback) * static_cast<double>(kMillisecond));
  };
  delay = time("delayMs", delay);
  jitter = time("jitterMs", jitter);
  lossPct = json["lossPct"].number(lossPct);
  duplicatePct = json["duplicatePct"].number(duplicatePct);
  reorderPct = json["reorderPct"].number(reorderPct);
  reorderDelay = time("reorderDelayMs", reorderDelay);
  rateBps = json["rateBps"].number(rateBps);
  queueBytes = json["queueBytes"].number(queueBytes);
  mtu = static_cast<std::size_t>(json["mtu"].number(static_cast<double>(mtu)));
  mtuIcmp = json["mtuIcmp"].boolean(mtuIcmp);
  hops = static_cast<int>(json["hops"].number(hops));
}

Link::Link(LinkOptions options, Random random, Schedule& schedule, Deliver deliver, Deliver reject)
    : options_(options), random_(std::move(random)), schedule_(schedule), deliver_(std::move(deliver)), reject_(std::move(reject)) {}

void Link::send(Packet p, Time now) {
  if (p.size() <= options_.mtu) {
    if (options_.duplicatePct > 0 && random_.unit() * 100 < options_.duplicatePct) cross(p, now);
    cross(std::move(p), now);
    return;
  }
  if (ipVersion(p) == 4) {
    auto pieces = fragments(p, options_.mtu);
    for (Packet& piece : pieces) cross(std::move(piece), now);
    if (!pieces.empty()) return;
  }
  ++stats_.tooBig;
  if (options_.mtuIcmp) reject_(std::move(p), now);
}

void Link::cross(Packet p, Time now) {
  if (options_.lossPct > 0 && random_.unit() * 100 < options_.lossPct) {
    ++stats_.lost;
    return;
  }
  Time departure = now;
  if (options_.rateBps > 0) {
    const double nanosecondsPerByte = 8.0 * static_cast<double>(kSecond) / options_.rateBps;
    const double backlog = busyUntil_ > now ? static_cast<double>(busyUntil_ - now) / nanosecondsPerByte : 0;
    if (backlog + static_cast<double>(p.size()) > options_.queueBytes) {
      ++stats_.queueDrops;
      return;
    }
    busyUntil_ = std::max(now, busyUntil_) + static_cast<Time>(static_cast<double>(p.size()) * nanosecondsPerByte);
    departure = busyUntil_;
  }
  ++stats_.packets;
  stats_.bytes += p.size();
  Time arrival = departure + options_.delay;
  if (options_.jitter > 0) arrival += static_cast<Time>(random_.unit() * static_cast<double>(options_.jitter));
  const bool heldBack = options_.reorderPct > 0 && random_.unit() * 100 < options_.reorderPct;
  if (heldBack) arrival += options_.reorderDelay;
  else lastArrival_ = arrival = std::max(arrival, lastArrival_);
  if (arrival <= now) deliver_(std::move(p), now);
  else schedule_.at(arrival, [this, packet = std::move(p)](Time at) mutable { deliver_(std::move(packet), at); });
}

}  // namespace natbox
