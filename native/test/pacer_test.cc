#include "../src/queue/pacer.h"

#include <deque>
#include <vector>

#include "../src/queue/classify.h"
#include "check.h"

using namespace wg;
using namespace wg::queue;

namespace {

constexpr Nanos millisecond = 1'000'000;
constexpr Nanos second = 1'000 * millisecond;
constexpr size_t segment = 1'452;

struct PathOptions {
  double rate;  // bytes a second; 0: no bottleneck
  size_t queue = 256 * 1'024;
  Nanos delay = 10 * millisecond;   // one way
  Nanos jitter = 0;                 // one way, evenly distributed
  double offered = 10'000'000;      // bytes a second that the sender has
};

/// A sender with a pacer, a bottleneck with a drop-tail queue, and a peer that answers. Steps of 100 us.
class Path {
 public:
  explicit Path(PathOptions options) : options(options) {}

  void run(Nanos time) {
    for (const Nanos end = now + time; now < end; now += step) {
      offer();
      if (now - probed_queue_ >= 5 * millisecond) note_queue();
      answer();
    }
  }

  /// Milliseconds that a packet of a game would have waited, p of all.
  double queue_ms(double p) {
    std::ranges::sort(queues_);
    return queues_[static_cast<size_t>(p * static_cast<double>(queues_.size() - 1))];
  }
  double delivered_rate(Nanos time) {
    const uint64_t before = delivered();
    run(time);
    return static_cast<double>(delivered() - before) * static_cast<double>(second) / static_cast<double>(time);
  }
  void forget_queues() { queues_.clear(); }

  PathOptions options;
  Pacer pacer;
  Nanos now = 100 * second;
  bool answers = true;
  Nanos peer_clock = 5'000 * second;
  int times_paced = 0;

 private:
  static constexpr Nanos step = 100'000;

  struct Flight {
    Nanos arrives;
    uint64_t bytes;
  };
  struct Answer {
    Nanos sent, received, back;
    uint64_t bytes;
  };

  void offer() {
    debt_ = std::min(debt_ + options.offered * 1e-4, 400'000.0);
    while (debt_ >= segment) {
      const size_t allowed = pacer.allowance(now);
      if (pacer.probe_due(now)) probe();
      if (allowed == 0) break;
      pacer.sent(now, segment);
      cross(segment);
      debt_ -= segment;
    }
    if (pacer.rate() > 0 && !paced_) times_paced++;
    paced_ = pacer.rate() > 0;
  }

  Nanos jitter() {
    random_ = mix(random_, 3);
    return options.jitter == 0 ? 0 : static_cast<Nanos>(random_ % static_cast<uint64_t>(options.jitter));
  }
  Nanos waits() const { return std::max<Nanos>(0, busy_until_ - now); }

  // When the bytes arrive; 0 when the queue is full.
  Nanos cross(size_t bytes) {
    if (options.rate > 0) {
      const double queued = static_cast<double>(waits()) * 1e-9 * options.rate;
      if (queued + static_cast<double>(bytes) > static_cast<double>(options.queue)) return 0;
      busy_until_ = std::max(now, busy_until_) + static_cast<Nanos>(static_cast<double>(bytes) / options.rate * 1e9);
    }
    const Nanos arrives = now + waits() + options.delay + jitter();
    if (bytes == segment) flights_.push_back({arrives, bytes});
    return arrives;
  }

  void probe() {
    const Nanos arrives = cross(100);
    if (arrives == 0 || !answers) return;
    answers_.push_back({now, arrives, arrives + options.delay + jitter(), 0});
  }

  uint64_t delivered() const {
    uint64_t sum = settled_;
    for (const Flight& flight : flights_) {
      if (flight.arrives <= now) sum += flight.bytes;
    }
    return sum;
  }

  void answer() {
    while (!flights_.empty() && flights_.front().arrives <= now - second) {
      settled_ += flights_.front().bytes;
      flights_.pop_front();
    }
    for (Answer& answer : answers_) {
      if (answer.bytes == 0 && answer.received <= now) answer.bytes = delivered() + 1;
    }
    while (!answers_.empty() && answers_.front().back <= now) {
      const Answer& first = answers_.front();
      pacer.report({first.sent, now, first.received + peer_clock, first.bytes});
      answers_.pop_front();
    }
  }

  void note_queue() {
    probed_queue_ = now;
    queues_.push_back(static_cast<double>(waits()) / 1e6);
  }

  double debt_ = 0;
  uint64_t random_ = 1, settled_ = 0;
  Nanos busy_until_ = 0, probed_queue_ = 0;
  bool paced_ = false;
  std::deque<Flight> flights_;
  std::deque<Answer> answers_;
  std::vector<double> queues_;
};

}  // namespace

TEST("pacer: a modem's queue is found, drained and kept short, at nearly its rate") {
  Path path({.rate = 2.5e6});
  path.run(500 * millisecond);
  EXPECT(path.pacer.rate() > 0);
  path.forget_queues();
  const double rate = path.delivered_rate(20 * second);
  EXPECT(path.queue_ms(0.99) < 12);
  EXPECT(rate > 0.88 * 2.5e6);
}

TEST("pacer: the queue of the first moment lasts a tenth of a second") {
  Path doubled({.rate = 2.5e6, .offered = 5e6});
  doubled.run(20 * second);
  EXPECT(doubled.queue_ms(0.99) < 15);
  Path flooded({.rate = 2.5e6, .offered = 10e6});
  flooded.run(20 * second);
  EXPECT(flooded.queue_ms(0.99) < 20);
}

TEST("pacer: a transfer that begins makes a game wait 40 ms at most") {
  // What a TCP sender does at its start: twice what the link carries.
  for (const Nanos delay : {1 * millisecond, 5 * millisecond}) {
    Path path({.rate = 2.5e6, .delay = delay, .offered = 5e6});
    path.run(second);
    EXPECT(path.queue_ms(1) < 40);
    path.forget_queues();
    EXPECT(path.delivered_rate(5 * second) > 0.85 * 2.5e6);
  }
}

TEST("pacer: slow and far links are kept short as well") {
  for (const double rate : {125e3, 500e3, 12.5e6}) {
    for (const Nanos delay : {1 * millisecond, 50 * millisecond, 150 * millisecond}) {
      Path path({.rate = rate, .delay = delay, .offered = rate * 4});
      path.run(5 * second);
      path.forget_queues();
      const double delivered = path.delivered_rate(20 * second);
      // What is found out a round trip late has grown by a fifth of the rate a second meanwhile.
      const double late = static_cast<double>(2 * delay) / 1e6 * 0.2;
      EXPECT(path.queue_ms(0.95) < 10 + late + static_cast<double>(segment) / rate * 1e3);
      EXPECT(delivered > 0.7 * rate);
    }
  }
}

TEST("pacer: a path that becomes faster is used within five seconds") {
  Path path({.rate = 1e6});
  path.run(5 * second);
  path.options.rate = 8e6;
  path.run(5 * second);
  EXPECT(path.delivered_rate(5 * second) > 0.8 * 8e6);
}

TEST("pacer: a path that becomes slower is found again") {
  Path path({.rate = 8e6});
  path.run(5 * second);
  path.options.rate = 1e6;
  path.run(3 * second);
  path.forget_queues();
  EXPECT(path.delivered_rate(10 * second) > 0.8 * 1e6);
  EXPECT(path.queue_ms(0.99) < 15);
}

TEST("pacer: jitter without a queue never paces") {
  for (const Nanos jitter : {5 * millisecond, 15 * millisecond, 30 * millisecond, 60 * millisecond}) {
    Path path({.rate = 0, .jitter = jitter, .offered = 2e6});
    path.run(120 * second);
    EXPECT_EQ(path.times_paced, 0);
  }
}

TEST("pacer: a path without a queue is left alone") {
  Path path({.rate = 20e6, .offered = 10e6});
  path.run(60 * second);
  EXPECT_EQ(path.times_paced, 0);
}

TEST("pacer: a peer that does not answer is not paced, and asked once a second") {
  Path path({.rate = 2.5e6});
  path.answers = false;
  path.run(10 * second);
  EXPECT_EQ(path.times_paced, 0);
}

TEST("pacer: a clock of the peer's that is set paces nothing") {
  Path path({.rate = 0, .offered = 2e6});
  path.run(5 * second);
  path.peer_clock += 2 * second;
  path.run(5 * second);
  path.peer_clock -= 4 * second;
  path.run(5 * second);
  EXPECT_EQ(path.times_paced, 0);
}

TEST("pacer: another path begins anew") {
  Path path({.rate = 2.5e6});
  path.run(2 * second);
  EXPECT(path.pacer.rate() > 0);
  path.pacer.reset();
  EXPECT(path.pacer.rate() == 0);
  EXPECT_EQ(path.pacer.allowance(path.now), Pacer::unlimited);
}
