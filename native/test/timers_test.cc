// The timers of the WireGuard paper, section 6, on a test clock.
#include "world.h"

using namespace wg;
using namespace wg::test;

namespace {

constexpr uint8_t initiation = 1, response = 2, cookie_reply = 3, data = 4;

bool near(double value, double low, double high) { return value >= low - 1e-9 && value <= high + 1e-9; }

const auto everything_lost = [](int, ByteView) { return true; };

}  // namespace

TEST("a first handshake repeats at 0, 250, 750, 1750 ms, then every 5 s, and ends after 90 s") {
  World world;
  world.loses = everything_lost;
  world.connect();
  world.run_until(300);
  const auto sent = world.of_type(initiation);
  EXPECT(near(sent[0].at_s, 0, 0));
  EXPECT(near(sent[1].at_s, 0.25, 0.25));
  EXPECT(near(sent[2].at_s, 0.75, 0.75));
  EXPECT(near(sent[3].at_s, 1.75, 1.75));
  for (size_t i = 4; i < sent.size(); i++) EXPECT(near(sent[i].at_s - sent[i - 1].at_s, 5, 5.334));
  EXPECT(near(sent.back().at_s, 80, 90));
  EXPECT(!world.peer(0).attempt.active);
}

TEST("one lost initiation costs 250 ms") {
  World world;
  world.loses = [&](int, ByteView bytes) { return type_of(bytes) == initiation && world.of_type(initiation).size() == 1; };
  world.connect();
  world.run_until(0.26);
  EXPECT_EQ(world.handshakes(0), 1u);
  EXPECT_EQ(world.handshakes(1), 1u);
  EXPECT_EQ(world.of_type(initiation).size(), 2u);
}

TEST("a side that does not initiate waits, unless it has data") {
  World world({.initiate = false}, {.initiate = false});
  world.connect();
  world.run_until(30);
  EXPECT(world.sent.empty());
  world.host_sends(1);
  EXPECT_EQ(world.handshakes(0), 1u);
  EXPECT_EQ(world.at(0).host.size(), 1u);
}

TEST("a new path without a session begins the schedule again, the same path does not") {
  World world;
  world.loses = everything_lost;
  world.connect();
  world.run_until(4);
  EXPECT_EQ(world.of_type(initiation).size(), 4u);
  world.set_path(0);
  EXPECT_EQ(world.of_type(initiation).size(), 4u);
  Effects effects;
  world.at(0).core.set_path(world.now(), world.peer(0), {}, {}, effects);
  world.set_path(0);
  world.run_until(4.26);
  EXPECT_EQ(world.of_type(initiation).size(), 6u);
}

TEST("initiations of one peer stay 20 ms apart even when paths change at once") {
  World world;
  world.loses = everything_lost;
  for (int i = 0; i < 10; i++) {
    Effects effects;
    world.at(0).core.set_path(world.now(), world.peer(0), {}, {}, effects);
    world.set_path(0);
    world.run_until(0.005 * (i + 1));
  }
  const auto sent = world.of_type(initiation);
  EXPECT(sent.size() >= 2);
  for (size_t i = 1; i < sent.size(); i++) EXPECT(sent[i].at_s - sent[i - 1].at_s > 0.02);
}

TEST("staged packets are at most 128, the newest, and go when the handshake gives up") {
  World world;
  world.loses = everything_lost;
  world.connect();
  for (int i = 0; i < 200; i++) world.host_sends(0);
  EXPECT_EQ(world.peer(0).staged.size(), staged_limit);
  EXPECT_EQ(world.at(0).core.counters().tx_dropped, 72u);
  world.run_until(100);
  EXPECT(world.peer(0).staged.empty());
  EXPECT_EQ(world.at(0).core.counters().tx_dropped, 200u);
}

TEST("who only receives says so after 10 s") {
  World world;
  world.connect();
  world.run_until(1);
  const size_t before = world.sent.size();
  world.host_sends(0);
  world.run_until(60);
  EXPECT_EQ(world.sent.size(), before + 2);
  EXPECT_EQ(world.sent.back().from, 1);
  EXPECT_EQ(world.sent.back().size, data_overhead);
  EXPECT(near(world.sent.back().at_s, 11, 11));
}

TEST("who answers with data needs no keepalive") {
  World world;
  world.connect();
  world.run_until(1);
  const size_t before = world.sent.size();
  world.host_sends(0);
  world.run_until(5);
  world.host_sends(1);
  world.run_until(14.9);
  EXPECT_EQ(world.sent.size(), before + 2);
}

TEST("a session at rest is silent") {
  World world;
  world.connect();
  const size_t before = world.sent.size();
  world.run_until(3'600);
  EXPECT_EQ(world.sent.size(), before);
}

const PeerConfig member{.probe = ProbeKeys{random_key(), random_key()}};

TEST("a member's first packet under a key repeats until something comes, and after it is heard no more") {
  World world(member);
  bool first = true;
  world.loses = [&first](int from, ByteView datagram) {
    return from == 0 && type_of(datagram) == data && std::exchange(first, false);
  };
  world.connect();
  EXPECT_EQ(world.handshakes(1), 0u);
  world.run_until(0.3);
  EXPECT_EQ(world.handshakes(1), 1u);
  world.host_sends(1);
  const size_t before = world.sent.size();
  world.run_until(9.9);
  EXPECT_EQ(world.sent.size(), before);
}

TEST("a member's first packet repeats three times, and again by a new path") {
  World world(member);
  world.loses = [](int from, ByteView datagram) { return from == 0 && type_of(datagram) == data; };
  world.connect();
  world.run_until(60);
  EXPECT_EQ(world.of_type(data).size(), 4u);
  world.loses = [](int, ByteView) { return false; };
  world.set_path(0);
  EXPECT_EQ(world.handshakes(1), 0u);
  Effects effects;
  world.at(0).core.set_path(world.now(), world.peer(0), {}, {}, effects);
  world.set_path(0);
  EXPECT_EQ(world.handshakes(1), 1u);
}

TEST("a persistent keepalive leaves every interval in which nothing else did") {
  World world({.keepalive = 25 * seconds});
  world.connect();
  const size_t before = world.sent.size();
  world.run_until(10);
  world.host_sends(0);
  world.run_until(61);
  // 10 s data, 20 s the other side's passive keepalive, 45 s ours
  EXPECT_EQ(world.sent.size(), before + 3);
  EXPECT_EQ(world.sent.back().from, 0);
  EXPECT(near(world.sent.back().at_s, 45, 45));
}

TEST("a persistent keepalive begins a handshake when there is no session, again and again") {
  World world({.keepalive = 25 * seconds, .initiate = false});
  world.loses = everything_lost;
  world.connect();
  world.run_until(24);
  EXPECT(world.sent.empty());
  world.run_until(400);
  const auto sent = world.of_type(initiation);
  EXPECT(near(sent.front().at_s, 25, 25));
  EXPECT(sent.back().at_s > 390);
}

TEST("data without an answer for 15 s begins a new handshake") {
  World world;
  world.connect();
  world.run_until(1);
  world.loses = everything_lost;
  world.host_sends(0);
  world.run_until(15.9);
  EXPECT_EQ(world.of_type(initiation).size(), 1u);
  world.run_until(16.4);
  EXPECT_EQ(world.of_type(initiation).size(), 2u);
}

TEST("the initiator renews the key when it sends after 120 s, the responder does not") {
  World world;
  world.connect();
  world.run_until(119.9);
  world.host_sends(0);
  world.host_sends(1);
  EXPECT_EQ(world.of_type(initiation).size(), 1u);
  world.run_until(120.1);
  world.host_sends(1);
  EXPECT_EQ(world.of_type(initiation).size(), 1u);
  world.host_sends(0);
  EXPECT_EQ(world.of_type(initiation).size(), 2u);
  EXPECT_EQ(world.handshakes(0), 2u);
  EXPECT_EQ(world.handshakes(1), 2u);
  EXPECT_EQ(world.at(0).host.size(), 2u);
  EXPECT_EQ(world.at(1).host.size(), 2u);
}

TEST("an initiator that only receives renews the key after 165 s, once") {
  World world;
  world.connect();
  world.run_until(164);
  world.host_sends(1);
  world.run_until(164.5);
  world.host_sends(1);
  EXPECT_EQ(world.of_type(initiation).size(), 1u);
  world.run_until(165.5);
  world.loses = [](int from, ByteView) { return from == 0; };
  world.host_sends(1);
  world.host_sends(1);
  EXPECT_EQ(world.of_type(initiation).size(), 2u);
}

TEST("a key is neither used nor accepted after 180 s, and the packet waits for the next one") {
  World world;
  world.connect();
  world.run_until(1);
  std::vector<uint8_t> late;
  world.loses = [&](int, ByteView bytes) {
    late.assign(bytes.begin(), bytes.end());
    return true;
  };
  world.host_sends(0);
  world.loses = everything_lost;
  world.run_until(180.5);
  const size_t sent = world.of_type(data).size();
  world.host_sends(0);
  EXPECT_EQ(world.of_type(data).size(), sent);
  EXPECT_EQ(world.peer(0).staged.size(), 1u);
  world.receive(1, late);
  EXPECT(world.at(1).host.empty());
  EXPECT_EQ(world.at(1).core.counters().rejected, 1u);
  world.loses = [](int, ByteView) { return false; };
  world.run_until(187);
  EXPECT_EQ(world.at(1).host.size(), 1u);
}

TEST("without a usable key a handshake is as quick as the first one") {
  World world;
  world.connect();
  world.run_until(400);
  const size_t before = world.of_type(initiation).size();
  world.loses = [&](int, ByteView bytes) {
    return type_of(bytes) == initiation && world.of_type(initiation).size() == before + 1;
  };
  world.host_sends(0);
  world.run_until(400.26);
  EXPECT_EQ(world.handshakes(1), 2u);
  EXPECT_EQ(world.at(1).host.size(), 1u);
}

TEST("keys are gone 540 s after the last handshake") {
  World world;
  world.connect();
  world.run_until(539);
  EXPECT(world.peer(0).current && world.peer(1).current);
  world.run_until(541);
  for (int end = 0; end < 2; end++) {
    EXPECT(!world.peer(end).previous && !world.peer(end).current && !world.peer(end).next);
  }
}

TEST("a key renews after 2^60 messages and stops before its counter ends") {
  World world;
  world.connect();
  world.run_until(10);
  world.peer(0).current->skip_to(rekey_after_messages);
  world.host_sends(0);
  EXPECT_EQ(world.of_type(initiation).size(), 2u);
  world.loses = everything_lost;
  world.peer(0).current->skip_to(reject_after_messages);
  const size_t sent = world.of_type(data).size();
  world.host_sends(0);
  EXPECT_EQ(world.of_type(data).size(), sent);
  EXPECT_EQ(world.peer(0).staged.size(), 1u);
}

TEST("packets under the previous key still arrive after a renewal") {
  World world;
  world.connect();
  world.run_until(121);
  std::vector<uint8_t> late;
  world.loses = [&](int from, ByteView bytes) {
    if (from != 0 || type_of(bytes) != data || bytes.size() == data_overhead || !late.empty()) return false;
    late.assign(bytes.begin(), bytes.end());
    return true;
  };
  world.host_sends(0);  // sealed under the old key; it also begins the renewal
  EXPECT_EQ(world.handshakes(1), 2u);
  EXPECT(world.at(1).host.empty());
  world.receive(1, late);
  EXPECT_EQ(world.at(1).host.size(), 1u);
  world.receive(1, late);
  EXPECT_EQ(world.at(1).host.size(), 1u);
}

TEST("both sides beginning at once end with keys that work both ways") {
  World world({}, {});
  std::vector<std::pair<int, std::vector<uint8_t>>> held;
  world.loses = [&](int from, ByteView bytes) {
    if (type_of(bytes) != initiation) return false;
    held.emplace_back(from, std::vector<uint8_t>(bytes.begin(), bytes.end()));
    return true;
  };
  world.connect();
  EXPECT_EQ(held.size(), 2u);
  world.loses = [](int, ByteView) { return false; };
  for (const auto& [from, bytes] : held) world.receive(1 - from, bytes);
  world.host_sends(0);
  world.host_sends(1);
  EXPECT_EQ(world.at(0).host.size(), 1u);
  EXPECT_EQ(world.at(1).host.size(), 1u);
  world.run_until(600);
  EXPECT(world.of_type(initiation).size() <= 4u);
}

TEST("an initiation is answered once, and not again within 20 ms") {
  World world;
  world.connect();
  const auto first = world.datagrams.front();
  EXPECT_EQ(type_of(first), initiation);
  const size_t responses = world.of_type(response).size();
  world.run_until(1);
  world.receive(1, first);
  EXPECT_EQ(world.of_type(response).size(), responses);
  EXPECT_EQ(world.at(1).core.counters().rejected, 1u);
}

TEST("under load an initiation costs a cookie, and the next one with it passes") {
  World world;
  LoadMonitor& load = world.at(1).core.load();
  for (uint32_t i = 0; i <= LoadMonitor::messages_a_second; i++) load.count(world.now().boot_ns);
  world.connect();
  EXPECT_EQ(world.of_type(cookie_reply).size(), 1u);
  EXPECT_EQ(world.of_type(response).size(), 0u);
  world.run_until(0.26);
  EXPECT_EQ(world.of_type(cookie_reply).size(), 1u);
  EXPECT_EQ(world.handshakes(0), 1u);
}

TEST("load ends a second after the flood") {
  LoadMonitor load;
  Nanos now = 10 * seconds;
  for (uint32_t i = 0; i <= LoadMonitor::messages_a_second; i++) load.count(now);
  EXPECT(load.under_load(now));
  EXPECT(load.under_load(now + LoadMonitor::window - 1));
  EXPECT(!load.under_load(now + LoadMonitor::window));
  for (int i = 0; i < 1'000; i++) load.count(now += 10 * milliseconds);
  EXPECT(!load.under_load(now));
}
