#include "world.h"

using namespace wg;
using wg::test::World;

namespace {

constexpr uint8_t request_kind = 4, report_kind = 5;

size_t reports(const World& world) {
  return static_cast<size_t>(std::ranges::count_if(
      world.datagrams, [](const auto& datagram) { return datagram[0] == 0xd7 && datagram[1] == report_kind; }));
}

struct Pair {
  Pair() : world(ends[0], ends[1]) { world.connect(); }

  std::vector<uint8_t> ask() { return world.at(0).core.ask_for_pace(world.now(), world.peer(0)); }

  std::array<PeerConfig, 2> ends = test::with_probe_keys();
  World world;
};

}  // namespace

TEST("pacing: a request is answered once, by a report of the same size") {
  Pair pair;
  const auto request = pair.ask();
  EXPECT_EQ(request[1], request_kind);
  pair.world.receive(1, request);
  EXPECT_EQ(reports(pair.world), size_t{1});
  EXPECT_EQ(pair.world.datagrams.back().size(), request.size());
  EXPECT_EQ(pair.world.at(0).core.counters().rejected, uint64_t{0});
  pair.world.receive(1, request);
  EXPECT_EQ(reports(pair.world), size_t{1});
  EXPECT_EQ(pair.world.at(1).core.counters().rejected, uint64_t{1});
  pair.world.receive(0, std::vector(pair.world.datagrams.back()));
  EXPECT_EQ(pair.world.at(0).core.counters().rejected, uint64_t{1});
}

TEST("pacing: what is not whole or not authentic is counted") {
  Pair pair;
  auto request = pair.ask();
  request.back() ^= 1;
  pair.world.receive(1, request);
  const Bytes<17> too_long{};
  pair.world.receive(1, pair.world.at(0).core.seal_probe(pair.world.peer(0), ProbeKind::pace_request, 9, too_long));
  EXPECT_EQ(reports(pair.world), size_t{0});
  EXPECT_EQ(pair.world.at(1).core.counters().rejected, uint64_t{2});
}

TEST("pacing: a peer without probe keys is not asked") {
  World world;
  world.connect();
  EXPECT(world.at(0).core.ask_for_pace(world.now(), world.peer(0)).empty());
}

TEST("pacing: data that arrives later and later is paced, and another path begins anew") {
  Pair pair;
  World& world = pair.world;
  std::deque<std::pair<double, std::vector<uint8_t>>> requests;
  for (int step = 0; step < 40; step++) {
    const double now = 1 + 0.02 * step;
    world.run_until(now);
    requests.emplace_back(now + 0.01 + 0.002 * step, pair.ask());
    while (!requests.empty() && requests.front().first < now + 0.02) {
      world.run_until(requests.front().first);
      for (int i = 0; i < 40; i++) world.host_sends(0);
      world.receive(1, requests.front().second);
      requests.pop_front();
    }
  }
  EXPECT(world.peer(0).pacer.rate() > 0);
  Effects effects;
  const auto socket = std::shared_ptr<udp::Socket>();
  world.at(0).core.set_path(world.now(), world.peer(0), {PathKind::none, socket, {}}, {}, effects);
  EXPECT(world.peer(0).pacer.rate() == 0);
}
