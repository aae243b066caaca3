// The queues between the device and the owner, who carries the packets of external paths.
#include "../src/device/event_queue.h"
#include "../src/device/inbound.h"
#include "check.h"

using namespace wg;

namespace {

constexpr PeerId peer = 7;

size_t count(const std::vector<Event>& events, size_t taken, queue::Lane lane) {
  return static_cast<size_t>(std::count_if(events.begin(), events.begin() + static_cast<ptrdiff_t>(taken),
                                           [lane](const Event& event) { return event.lane == lane; }));
}

}  // namespace

TEST("external: bulk that the owner does not fetch leaves room for a game") {
  EventQueue events(64, [] {});
  const std::vector<uint8_t> bulk(1'400), game(150);
  for (int i = 0; i < 1'000; i++) events.push(EventType::outbound, peer, bulk, queue::Lane::bulk);
  const uint64_t dropped = events.dropped();
  for (int i = 0; i < 16; i++) events.push(EventType::outbound, peer, game, queue::Lane::express);
  EXPECT_EQ(events.dropped(), dropped);
  std::vector<Event> taken(64);
  const size_t got = events.take(taken);
  EXPECT_EQ(count(taken, got, queue::Lane::express), size_t{16});
  EXPECT_EQ(count(taken, got, queue::Lane::bulk), 1'000 - dropped);
}

TEST("external: the shortest queue takes bulk as well") {
  EventQueue events(1, [] {});
  events.push(EventType::outbound, peer, std::vector<uint8_t>(1'400), queue::Lane::bulk);
  EXPECT_EQ(events.dropped(), uint64_t{0});
}

TEST("external: bulk that came by the relay and waits leaves room for a game") {
  Inbox inbox;
  const std::vector<uint8_t> bulk(1'452), game(150);
  while (inbox.push(peer, bulk)) {
  }
  for (int i = 0; i < 100; i++) EXPECT(inbox.push(peer, game));
  std::vector<Inbox::Item> taken(Inbox::limit);
  const size_t got = inbox.take(taken);
  EXPECT_EQ(std::count_if(taken.begin(), taken.begin() + static_cast<ptrdiff_t>(got),
                          [&](const Inbox::Item& item) { return item.bytes == game; }),
            ptrdiff_t{100});
}
