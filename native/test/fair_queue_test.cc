#include "../src/queue/fair_queue.h"

#include <map>
#include <set>

#include "../src/queue/classify.h"
#include "check.h"

using namespace wg;
using namespace wg::queue;

namespace {

constexpr Nanos millisecond = 1'000'000;
constexpr size_t whole = 1 << 20;
const FairQueue::Gate open = [](uint32_t) { return whole; };

/// A queue and the slots that it orders.
struct Rig {
  explicit Rig(FairQueueOptions options) : queue(options, [this](Index slot) { free.insert(slot); }) {
    for (Index slot = 0; slot < options.slots; slot++) free.insert(slot);
  }

  Index push(const Packet& packet) {
    EXPECT(!free.empty());
    const Index slot = *free.begin();
    free.erase(free.begin());
    queue.push(now, slot, packet);
    return slot;
  }
  void fill(size_t count, const Packet& packet) {
    for (size_t i = 0; i < count; i++) push(packet);
  }
  std::optional<Burst> pop(size_t most = whole, const FairQueue::Gate& gate = open) {
    const auto burst = queue.pop(now, gate, most);
    if (burst && burst->last) free.insert(burst->slot);
    return burst;
  }

  std::set<Index> free;
  FairQueue queue;
  Nanos now = 1'000 * millisecond;
};

FairQueueOptions options() { return {.slots = 512, .limit_bytes = 4 << 20}; }

Packet packet(uint32_t peer, uint64_t flow, uint32_t bytes = 1'400) { return {peer, flow, bytes, 1, bytes}; }

}  // namespace

TEST("fair queue: one flow leaves in the order in which it came") {
  Rig rig(options());
  std::vector<Index> came, left;
  for (uint32_t i = 0; i < 100; i++) came.push_back(rig.push(packet(1, 1, 100 + i)));
  while (const auto burst = rig.pop()) left.push_back(burst->slot);
  EXPECT(came == left);
  EXPECT(rig.queue.empty());
  EXPECT_EQ(rig.free.size(), size_t{512});
}

TEST("fair queue: a flow that begins waits for nobody's queue") {
  Rig rig(options());
  rig.fill(200, packet(1, 1));
  for (int i = 0; i < 20; i++) rig.pop();
  const Index slot = rig.push(packet(1, 2));
  size_t before = 0;
  while (rig.pop()->slot != slot) before++;
  EXPECT(before <= 5);  // what is left of a turn of the other
}

TEST("fair queue: flows share by bytes, whatever the size of their packets") {
  Rig rig(options());
  rig.fill(100, packet(1, 1, 1'400));
  rig.fill(300, packet(1, 2, 466));
  std::map<uint32_t, size_t> bytes;
  for (size_t sum = 0; sum < 140'000;) {
    const auto burst = rig.pop();
    sum += burst->bytes;
    bytes[burst->bytes] += burst->bytes;
  }
  EXPECT(bytes[1'400] > 63'000 && bytes[1'400] < 77'000);
}

TEST("fair queue: a peer with many flows gets no more than a peer with one") {
  Rig rig(options());
  for (uint64_t flow = 0; flow < 10; flow++) rig.fill(30, packet(1, flow));
  rig.fill(200, packet(2, 100));
  std::map<uint32_t, size_t> bytes;
  for (int i = 0; i < 300; i++) {
    const auto burst = rig.pop();
    bytes[burst->peer] += burst->bytes;
  }
  const auto difference = static_cast<int64_t>(bytes[1]) - static_cast<int64_t>(bytes[2]);
  EXPECT(std::abs(difference) <= 2 * 64 * 1'024);
}

TEST("fair queue: equal flows of two peers do not meet") {
  Rig rig(options());
  rig.push(packet(1, 5));
  EXPECT(rig.queue.holds(1, 5));
  EXPECT(!rig.queue.holds(2, 5));
  EXPECT(!rig.queue.holds(1, 6));
  rig.pop();
  EXPECT(!rig.queue.holds(1, 5));
}

TEST("fair queue: a peer that is held back stops nobody else, and keeps what it has") {
  Rig rig(options());
  rig.fill(10, packet(1, 1));
  rig.fill(10, packet(2, 1));
  const FairQueue::Gate held = [](uint32_t peer) { return peer == 1 ? size_t{0} : whole; };
  for (int i = 0; i < 10; i++) EXPECT_EQ(rig.pop(whole, held)->peer, 2u);
  EXPECT(!rig.pop(whole, held));
  std::map<uint32_t, size_t> waiting;
  rig.queue.each_peer([&](uint32_t peer, size_t bytes) { waiting[peer] = bytes; });
  EXPECT_EQ(waiting.size(), size_t{1});
  EXPECT_EQ(waiting[1], size_t{14'000});
  for (int i = 0; i < 10; i++) EXPECT_EQ(rig.pop()->peer, 1u);
  EXPECT(!rig.pop());
}

TEST("fair queue: a frame of segmentation offload leaves in parts when little may leave") {
  Rig rig(options());
  const Index slot = rig.push({1, 1, 43 * 1'400 + 200, 44, 1'400});
  rig.push(packet(1, 1));
  uint32_t next = 0, bytes = 0;
  while (next < 44) {
    const auto burst = rig.pop(3'000);
    EXPECT_EQ(burst->slot, slot);
    EXPECT_EQ(burst->first, next);
    EXPECT_EQ(burst->count, next == 42 ? 2u : std::min(2u, 44 - next));
    EXPECT_EQ(burst->last, next + burst->count == 44);
    next += burst->count;
    bytes += burst->bytes;
  }
  EXPECT_EQ(bytes, 43u * 1'400 + 200);
  EXPECT_EQ(rig.pop()->bytes, 1'400u);
  EXPECT(rig.queue.empty());
}

TEST("fair queue: at least one segment leaves however little may") {
  Rig rig(options());
  rig.push({1, 1, 2'800, 2, 1'400});
  EXPECT_EQ(rig.pop(1)->count, 1u);
  EXPECT(rig.pop(1)->last);
}

TEST("fair queue: the limit takes from the longest flow, at its head") {
  Rig rig({.slots = 512, .limit_bytes = 100'000});
  const Index thin = rig.push(packet(2, 2));
  std::vector<Index> came;
  for (int i = 0; i < 150; i++) came.push_back(rig.push(packet(1, 1, 1'000)));
  EXPECT(rig.queue.bytes() <= 100'000);
  EXPECT_EQ(rig.queue.dropped(), uint64_t{52});
  std::vector<Index> left;
  bool thin_left = false;
  while (const auto burst = rig.pop()) {
    if (burst->slot == thin) thin_left = true;
    else left.push_back(burst->slot);
  }
  EXPECT(thin_left);
  EXPECT_EQ(left.size(), size_t{98});
  EXPECT_EQ(rig.free.size(), size_t{512});
}

TEST("fair queue: more flows than places are refused, not mixed up") {
  Rig rig({.slots = 512, .limit_bytes = 1 << 20, .flows = 16, .peers = 4});
  for (uint64_t flow = 0; flow < 20; flow++) rig.push(packet(1, flow));
  for (uint32_t peer = 2; peer < 9; peer++) rig.push(packet(peer, 1));
  EXPECT_EQ(rig.queue.dropped(), uint64_t{11});
  EXPECT_EQ(rig.free.size(), size_t{512 - 16});
  while (rig.pop()) {
  }
  for (uint64_t flow = 100; flow < 116; flow++) rig.push(packet(3, flow));
  EXPECT_EQ(rig.queue.dropped(), uint64_t{11});
}

TEST("fair queue: a queue that stays above 5 ms loses packets, more and more of them (CoDel)") {
  Rig rig(options());
  // 1,000 packets a second leave, and as many come, behind 40 that were there.
  rig.fill(40, packet(1, 1));
  std::array<uint64_t, 4> dropped_until{};
  for (int step = 0; step < 2'000; step++) {
    rig.push(packet(1, 1));
    rig.pop();
    rig.now += millisecond;
    dropped_until[static_cast<size_t>(step / 500)] = rig.queue.dropped();
  }
  EXPECT(dropped_until[0] >= 2);
  // By then the queue is at the target, and CoDel leaves it alone.
  EXPECT(rig.queue.bytes() <= 8 * 1'400);
  EXPECT_EQ(dropped_until[2], dropped_until[3]);
}

TEST("fair queue: a short burst loses nothing, however long its queue") {
  Rig rig(options());
  rig.fill(90, packet(1, 1));
  while (rig.pop()) rig.now += millisecond;
  EXPECT_EQ(rig.queue.dropped(), uint64_t{0});
}

TEST("fair queue: what has begun to leave is not dropped for being late") {
  Rig rig(options());
  rig.push({1, 1, 2'800, 2, 1'400});
  rig.fill(10, packet(1, 1));
  rig.pop(1'400);
  rig.now += 1'000 * millisecond;
  EXPECT_EQ(rig.pop(1'400)->first, 1u);
}

TEST("fair queue: random traffic keeps every slot and every order") {
  Rig rig({.slots = 64, .limit_bytes = 60'000, .flows = 8, .peers = 4});
  uint64_t random = 1;
  const auto next = [&](uint64_t below) {
    random = mix(random, 17);
    return random % below;
  };
  std::map<Index, uint64_t> serial_of;
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> last_left;
  std::map<Index, Packet> packet_of;
  uint64_t serial = 0;
  for (int step = 0; step < 20'000; step++) {
    rig.now += static_cast<Nanos>(next(3)) * millisecond;
    if (next(2) == 0 && !rig.free.empty()) {
      const auto segments = static_cast<uint32_t>(1 + next(4));
      const Packet made{static_cast<uint32_t>(next(5)), next(3), segments * 700 - 100, segments, 700};
      const Index slot = *rig.free.begin();
      serial_of[slot] = ++serial;
      packet_of[slot] = made;
      rig.push(made);
    } else if (const auto burst = rig.pop(700 + next(2'000), [&](uint32_t peer) { return peer == serial % 5 ? 0 : whole; })) {
      const Packet& made = packet_of[burst->slot];
      EXPECT_EQ(burst->peer, made.peer);
      EXPECT(burst->first + burst->count <= made.segments);
      uint64_t& last = last_left[{made.peer, made.flow}];
      EXPECT(serial_of[burst->slot] >= last);
      last = serial_of[burst->slot];
    }
  }
  while (rig.pop()) {
  }
  EXPECT_EQ(rig.free.size(), size_t{64});
  EXPECT_EQ(rig.queue.bytes(), size_t{0});
}
