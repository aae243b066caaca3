#include "pacer.h"

namespace wg::queue {
namespace {

constexpr Nanos millisecond = 1'000'000;
constexpr Nanos second = 1'000 * millisecond;

/// Tuning. A game forgives 15 ms; above 10 of a standing queue bulk is cut, at 5 the rate already falls.
constexpr Nanos queue_too_long = 10 * millisecond, queue_long = 5 * millisecond;
/// Tuning: less than what the path carries, so that a queue gets shorter.
constexpr double below = 0.9;
/// Tuning: often in the first moments of a transfer, whose rate doubles with each round trip, then at a rate whose cost is
/// nothing. A peer that does not answer (an old one) is asked once a second. The very first probes come closer still: each
/// waits in the queue that it is to find, so that at 5 ms the sixth would be back after 56 ms, when that queue holds as much.
constexpr Nanos probe_unknown = 2 * millisecond, probe_at_first = 5 * millisecond, probe_quickly = 10 * millisecond,
                probe_calmly = 25 * millisecond, probe_in_vain = second;
constexpr uint64_t unknown_for = 10;  // probes
constexpr Nanos first_for = 200 * millisecond, quick_for = 2 * second, vain_after = 2 * second;
/// Tuning: bulk between two probes, two packets: less makes no queue.
constexpr size_t worth_a_probe = 2'800;
/// Tuning: the rate is measured over at least this long (50 packets at 20 Mbit/s); after a longer pause it begins anew.
constexpr Nanos stretch = 30 * millisecond, longest_stretch = second;
/// Tuning: where no rate is known yet and a queue was there meanwhile, this is long enough.
constexpr Nanos shortest_stretch = 10 * millisecond;
/// Tuning: how long the largest modem's queue takes to drain. Only a path that died meanwhile answers no probe for so long.
constexpr Nanos longest_hold = second;
/// Tuning: bulk leaves in portions of a millisecond; two may come together.
constexpr Nanos portion = millisecond;
/// Tuning: half a percent each 20 ms takes half a second from 0.9 to the rate that was too much. After a second without a
/// queue the path has become faster, and the steps grow up to a tenth.
constexpr Nanos growth_interval = 20 * millisecond;
constexpr double first_step = 1.005, largest_step = 1.1, step_growth = 1.15;
constexpr uint32_t careful_reports = 40;
constexpr double slowest = 16'000, fastest = 1.25e9;  // bytes a second
/// A full packet on the wire.
constexpr double packet = 1'500;

double in_seconds(Nanos time) { return static_cast<double>(time) / static_cast<double>(second); }

}  // namespace

bool Pacer::probe_due(Nanos now) {
  if (now - bulk_last_ > WindowedMinimum::window) reset();
  if (now - bulk_last_ > second) bulk_since_ = now;
  bulk_last_ = now;
  const bool first = probed_at_ < bulk_since_;
  const bool in_vain = now - std::max(answered_at_, bulk_since_) > vain_after;
  const Nanos age = now - bulk_since_;
  const bool quick = age < quick_for || now < held_until_;
  const bool unknown = probes_ < unknown_for;
  const Nanos interval = in_vain           ? probe_in_vain
                         : unknown         ? probe_unknown
                         : age < first_for ? probe_at_first
                         : quick           ? probe_quickly
                                           : probe_calmly;
  const bool worth = since_probe_ >= worth_a_probe || now < held_until_;
  if (!first && (now - probed_at_ < interval || !worth)) return false;
  probed_at_ = now;
  since_probe_ = 0;
  probes_++;
  return true;
}

void Pacer::report(const PathReport& report) {
  const Nanos now = answered_at_ = report.answered;
  delay_.add(now, now - report.sent, report.received - report.sent);
  acknowledge(report);
  if (now < held_until_ && report.sent >= held_since_) {
    // What was sent before this probe has arrived, and at the full rate of the path.
    held_until_ = fell_at_ = now;
    const double carried = acknowledged();
    rate_ = carried > 0 ? std::max(slowest, below * carried) : 0;
  }
  if (report.sent < fell_at_) return;
  const Nanos queue = delay_.standing() - packet_time();
  if (queue > queue_too_long) {
    cut(now);
  } else if (rate_ > 0 && queue > queue_long) {
    ease(now);
  } else if (rate_ > 0) {
    grow(now);
  }
}

void Pacer::acknowledge(const PathReport& report) {
  const Nanos length = report.received - mark_.at;
  const bool broken = length > longest_stretch || length < 0 || report.bytes < mark_.bytes;
  const bool hurried = report.answered < held_until_ && acknowledged() == 0;
  if (!broken && length < (hurried ? shortest_stretch : stretch)) return;
  if (!broken) {
    std::shift_right(rates_.begin(), rates_.end(), 1);
    rates_[0] = std::min(fastest, static_cast<double>(report.bytes - mark_.bytes) / in_seconds(length));
  }
  mark_ = {report.received, report.bytes};
}

// The best of the last stretches: one may fall into a pause of the sender.
double Pacer::acknowledged() const { return *std::ranges::max_element(rates_); }

// On a slow link a single packet makes the next one wait.
Nanos Pacer::packet_time() const {
  const double carried = acknowledged();
  return carried > 0 ? static_cast<Nanos>(packet / std::max(slowest, carried) * static_cast<double>(second)) : 0;
}

// In the first moments no rate is known yet; the hold mostly lasts until one is.
void Pacer::cut(Nanos now) {
  const double carried = acknowledged();
  rate_ = carried > 0 ? std::max(slowest, below * carried) : 0;
  held_since_ = fell_at_ = now;
  held_until_ = now + longest_hold;
  probed_at_ = now - probe_quickly;  // the one that ends the hold
  credit_ = 0;
  clean_reports_ = 0;
}

void Pacer::ease(Nanos now) {
  const double carried = acknowledged();
  if (carried > 0) rate_ = std::max(slowest, std::min(rate_, below * carried));
  fell_at_ = now;
  clean_reports_ = 0;
}

void Pacer::grow(Nanos now) {
  if (!limiting_ || now - grew_at_ < growth_interval) return;
  limiting_ = false;
  grew_at_ = now;
  clean_reports_++;
  const double bold = clean_reports_ > careful_reports ? clean_reports_ - careful_reports : 0;
  rate_ *= std::min(largest_step, 1 + (first_step - 1) * std::pow(step_growth, bold));
  if (rate_ > fastest) rate_ = 0;
}

size_t Pacer::allowance(Nanos now) {
  if (now < held_until_) return 0;
  if (rate_ == 0) return unlimited;
  const double most = rate_ * in_seconds(2 * portion);
  credit_ = std::min(most, credit_ + rate_ * in_seconds(now - credited_at_));
  credited_at_ = now;
  if (credit_ > 0) return static_cast<size_t>(credit_) + 1;
  limiting_ = true;
  return 0;
}

Nanos Pacer::next_send(Nanos now) const {
  if (now < held_until_) return held_until_;
  if (rate_ == 0) return now;
  return now + portion + static_cast<Nanos>(-credit_ / rate_ * static_cast<double>(second));
}

void Pacer::sent(Nanos now, size_t bytes) {
  bulk_last_ = now;
  since_probe_ += bytes;
  if (rate_ > 0) credit_ -= static_cast<double>(bytes);
}

}  // namespace wg::queue
