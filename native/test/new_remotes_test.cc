// Who is a peer gets nothing from a new address but what the owner allows: each would be an entry in the user's router.
#include "world.h"

using namespace wg;
using wg::test::World;

namespace {

/// What reaches the second end comes by a socket, from a port of its own.
struct Stage {
  Stage() : world(ends[0], ends[1]) {
    int error = 0;
    socket = udp::Socket::open(0, {*Endpoint::parse("127.0.0.1", 0), 0}, error);
    EXPECT_EQ(error, 0);
    world.at(1).core.allow_new_remotes(0);
  }

  Effects arrive(uint16_t port, const std::vector<uint8_t>& datagram) {
    Effects effects;
    const Arrival arrival{{PathKind::udp, socket, *Endpoint::parse("127.0.0.1", port), 0}, 0};
    std::vector<uint8_t> copy(datagram);
    world.at(1).core.receive(world.now(), arrival, copy, effects);
    return effects;
  }

  void has_sent_to(uint16_t port) { world.at(1).core.sends(world.now(), *socket, *Endpoint::parse("127.0.0.1", port)); }

  size_t pongs(uint16_t port) {
    const std::vector<uint8_t> body(24);
    return arrive(port, world.at(0).core.seal_probe(world.peer(0), ProbeKind::ping, ++seq, body)).outgoing.size();
  }

  std::array<PeerConfig, 2> ends = test::with_probe_keys();
  World world;
  std::shared_ptr<udp::Socket> socket;
  uint64_t seq = 0;
};

}  // namespace

TEST("new addresses: known for two minutes after something left for them") {
  Stage stage;
  EXPECT_EQ(stage.pongs(1), size_t{0});
  stage.has_sent_to(1);
  stage.world.run_until(119);
  EXPECT_EQ(stage.pongs(1), size_t{1});
  EXPECT_EQ(stage.pongs(2), size_t{0});
  stage.world.run_until(238);
  EXPECT_EQ(stage.pongs(1), size_t{1});
  stage.world.run_until(359);
  EXPECT_EQ(stage.pongs(1), size_t{0});
}

TEST("new addresses: what is allowed is allowed in all, and rises") {
  Stage stage;
  stage.world.at(1).core.allow_new_remotes(2);
  for (uint16_t port = 1; port <= 4; port++) EXPECT_EQ(stage.pongs(port), size_t{port <= 2});
  stage.world.at(1).core.allow_new_remotes(3);
  for (uint16_t port = 3; port <= 4; port++) EXPECT_EQ(stage.pongs(port), size_t{port == 3});
}

TEST("new addresses: no pace report leaves for one") {
  Stage stage;
  const auto ask = [&] { return stage.world.at(0).core.ask_for_pace(stage.world.now(), stage.world.peer(0)); };
  EXPECT_EQ(stage.arrive(1, ask()).outgoing.size(), size_t{0});
  stage.has_sent_to(1);
  EXPECT_EQ(stage.arrive(1, ask()).outgoing.size(), size_t{1});
}

TEST("new addresses: a handshake from one is answered on the path, or not at all") {
  for (const bool path : {false, true}) {
    Stage stage;
    if (path) stage.world.set_path(1);
    stage.world.loses = [](int from, ByteView) { return from == 0; };
    stage.world.set_path(0);
    const auto effects = stage.arrive(1, stage.world.datagrams.back());
    EXPECT_EQ(effects.outgoing.size(), size_t{path});
    if (path) EXPECT(effects.outgoing[0].path.kind == PathKind::external);
  }
}

TEST("new addresses: under load one gets no cookie") {
  Stage stage;
  stage.world.loses = [](int from, ByteView) { return from == 0; };
  stage.world.set_path(0);
  const auto initiation = stage.world.datagrams.back();
  const auto cookies = [&] {
    size_t out = 0;
    for (int i = 0; i < 5'000; i++) {
      for (const Outgoing& sent : stage.arrive(1, initiation).outgoing) out += sent.bytes[0] == 3;
    }
    return out;
  };
  EXPECT_EQ(cookies(), size_t{0});
  stage.has_sent_to(1);
  EXPECT(cookies() > 0);
}
