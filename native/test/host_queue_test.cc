#include "../src/device/host_queue.h"

#include "check.h"
#include "queue_packets.h"

using namespace wg;
using wg::test::inner_v4;
using wg::test::InnerPacket;

namespace {

constexpr uint64_t seed = 3;
constexpr uint32_t friend_id = 7;
const queue::FairQueue::Gate open = [](uint32_t) { return queue::nothing; };

Index arrive(HostQueue& queue, const InnerPacket& what, bool behind = false) {
  const auto packet = inner_v4(what);
  std::ranges::copy(packet, queue.room().begin());
  const auto slot = queue.keep(packet.size(), {});
  EXPECT(slot.has_value());
  const queue::Class kind = queue::classify(queue[*slot].packet, false, seed);
  queue.push(0, *slot, kind, {.peer = friend_id, .flow = kind.flow, .bytes = static_cast<uint32_t>(packet.size())}, behind);
  return *slot;
}

}  // namespace

TEST("host queue: a game's packet passes what waits of other flows") {
  HostQueue queue({4, 64});
  for (int i = 0; i < 20; i++) arrive(queue, {.size = 1'400, .source_port = 1});
  const Index game = arrive(queue, {.size = 100, .source_port = 2});
  EXPECT_EQ(queue.pop_express(0)->slot, game);
  EXPECT(!queue.pop_express(0));
}

TEST("host queue: the small end of a download stays behind it") {
  HostQueue queue({4, 64});
  const Index first = arrive(queue, {.size = 1'400, .protocol = 6});
  const Index last = arrive(queue, {.size = 100, .protocol = 6});
  EXPECT(!queue.pop_express(0));
  EXPECT_EQ(queue.pop_bulk(0, open, 1)->slot, first);
  EXPECT_EQ(queue.pop_bulk(0, open, 1)->slot, last);
}

TEST("host queue: the small end of a download stays behind it also when the rest is leaving") {
  HostQueue queue({4, 64});
  const Index first = arrive(queue, {.size = 1'400, .protocol = 6});
  EXPECT_EQ(queue.pop_bulk(0, open, 1)->slot, first);
  const Index last = arrive(queue, {.size = 100, .protocol = 6}, true);
  EXPECT(!queue.pop_express(0));
  EXPECT_EQ(queue.pop_bulk(0, open, 1)->slot, last);
}

TEST("host queue: what leaves keeps its place, even when the queue drops the rest of it") {
  HostQueue queue({2, 0});
  std::vector<uint8_t> frame = inner_v4({.size = 10'000, .protocol = 6});
  std::ranges::copy(frame, queue.room().begin());
  const Index slot = *queue.keep(frame.size(), {});
  const queue::Packet packet{.peer = friend_id, .flow = 1, .bytes = 10'000, .segments = 10, .segment_bytes = 1'000};
  queue.push(0, slot, {queue::Lane::bulk, 1}, packet, false);
  const auto burst = queue.pop_bulk(0, open, 2'000);
  EXPECT(burst && !burst->last);
  queue.leaves(slot);
  // The only other place is the one for what is read next.
  EXPECT(!queue.keep(100, {}));
  EXPECT_EQ(queue.bulk().dropped(), uint64_t{8});
  EXPECT(std::ranges::equal(queue[slot].packet, frame));
  queue.has_left(*burst);
  EXPECT(queue.keep(100, {}).has_value());
}

TEST("host queue: when no place is left bulk gives way, never a game's packet") {
  HostQueue queue({4, 32});
  for (uint16_t port = 0; port < 10; port++) arrive(queue, {.size = 100, .source_port = port});
  for (int i = 0; i < 200; i++) arrive(queue, {.size = 1'400, .source_port = 99});
  for (uint16_t port = 10; port < 20; port++) arrive(queue, {.size = 100, .source_port = port});
  EXPECT_EQ(queue.express().dropped(), uint64_t{0});
  EXPECT(queue.bulk().dropped() >= 180);
  for (int i = 0; i < 20; i++) EXPECT(queue.pop_express(0));
}

TEST("host queue: a packet stays as it was read, and has room around it") {
  HostQueue queue({4, 8});
  for (const size_t size : {40, 1'420, 1'900, 9'000, 65'535}) {
    auto packet = inner_v4({.size = size});
    std::ranges::copy(packet, queue.room().begin());
    const Index slot = *queue.keep(size, {});
    std::fill_n(queue[slot].packet.data() - 16, 16, uint8_t{1});
    std::fill_n(queue[slot].packet.data() + size, 31, uint8_t{1});
    EXPECT(std::ranges::equal(queue[slot].packet, packet));
    const Index copy = *queue.copy(slot);
    EXPECT(copy != slot && std::ranges::equal(queue[copy].packet, packet));
    queue.free(slot);
    queue.free(copy);
  }
}
