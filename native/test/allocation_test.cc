// The data path allocates nothing: counted over a million packets, both ways through sockets of the loopback interface.
#include <atomic>

#include "half.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

// The sanitizers have an allocator of their own, and slow a million packets down to minutes.
#if !defined(SANITIZED)
namespace {
// Of all threads: the pool's count too.
std::atomic<uint64_t> allocations{0};
}

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);

void* malloc(size_t size) {
  allocations++;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  allocations++;
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  allocations++;
  return __libc_realloc(old, size);
}
}

namespace {

using namespace wg;
using test::connect;
using test::Half;

/// A TCP packet, or a frame with the checksum left open.
std::vector<uint8_t> tcp(uint8_t from, uint8_t to, size_t length) {
  std::vector<uint8_t> out(length);
  out[0] = 0x45;
  store_be16(&out[2], static_cast<uint16_t>(length));
  out[9] = 6;
  store_be32(&out[12], 0x0a000000u | from);
  store_be32(&out[16], 0x0a000000u | to);
  out[32] = 0x80;
  out[33] = 0x10;
  return out;
}

/// Sends `frames` frames of 44 segments, or as many packets alone, and waits until they have arrived.
void carry(Half& from, Half& to, bool cut, size_t frames = 1) {
  constexpr uint16_t segments = 44, payload = 1'368;
  const auto packet = tcp(from.own, to.own, cut ? 52 + segments * payload : 400);
  const offload::Offload offload = cut ? offload::Offload{offload::Kind::tcp, payload, 20, 16} : offload::Offload{};
  const uint64_t before = allocations, target = to.received() + frames * segments;
  for (size_t i = 0; i < frames * (cut ? 1 : segments); i++) from.arrive(packet, offload);
  from.outbound.admit();
  while (from.outbound.send() != never) {
  }
  while (to.received() < target) to.receive();
  from.receive();
  EXPECT_EQ(allocations - before, 0u);
}

/// Sends one small packet by the way of an idle device.
void carry_alone(Half& from, Half& to) {
  const auto packet = tcp(from.own, to.own, 100);
  const uint64_t before = allocations, target = to.received() + 1;
  std::copy(packet.begin(), packet.end(), from.outbound.room().begin());
  offload::Offload offload;
  EXPECT(from.outbound.send_alone(packet.size(), offload));
  while (to.received() < target) to.receive();
  from.receive();
  EXPECT_EQ(allocations - before, 0u);
}

/// What `work` costs, unless it also told the owner something, which is rare.
template <typename Work>
void expect_none(const Half& from, const Half& to, const Work& work) {
  const auto told = [&] { return from.state.events.size() + to.state.events.size(); };
  const size_t told_before = told();
  const uint64_t before = allocations;
  work();
  const uint64_t cost = allocations - before;
  if (told() == told_before) EXPECT_EQ(cost, 0u);
}

/// Both reach each other by their owners alone.
void connect_externally(Half& left, Half& right) {
  left.meet(right);
  right.meet(left);
  for (Half* half : {&right, &left}) {
    Effects effects;
    half->state.core.set_path(read_clocks(), *half->state.core.find(half->peer), {PathKind::external, nullptr, {}, 0}, {}, effects);
    Sender(half->state, host_patience_ms).run(effects);
  }
}

/// The owners carry what waits for them.
void relay(Half& from, Half& to) {
  for (size_t count; (count = from.state.events.take(from.events)) > 0;) {
    for (const Event& event : std::span(from.events).first(count)) {
      if (event.type == EventType::outbound) EXPECT(to.inbox.push(to.peer, event.bytes));
    }
    to.inbound->receive_external();
  }
}

}  // namespace

TEST("a million packets, cut or alone, are sealed, sent, opened and checked without an allocation") {
  Half left(1), right(2);
  connect(left, right);
  EXPECT(allocations > 0);  // they are counted
  for (int i = 0; i < 22'728; i++) carry(i % 2 == 0 ? left : right, i % 2 == 0 ? right : left, i % 4 < 2);
  EXPECT(left.received() + right.received() >= 1'000'000);
  for (int i = 0; i < 1'000; i++) carry_alone(i % 2 == 0 ? left : right, i % 2 == 0 ? right : left);
}

TEST("bulk that a pool of threads seals and opens is carried without an allocation") {
  CryptoPool pool(3);
  Half left(1, &pool), right(2, &pool);
  connect(left, right);
  for (int i = 0; i < 1'000; i++) carry(i % 2 == 0 ? left : right, i % 2 == 0 ? right : left, true, 3);
  EXPECT(left.received() + right.received() >= 100'000);
}

TEST("what the filter lets through costs no allocation once its flow is known") {
  Half left(1), right(2);
  connect(left, right);
  for (Half* half : {&left, &right}) half->state.core.set_filter(FilterOptions{});
  const auto packet = tcp(1, 2, 400);
  for (int i = 0; i < 1'000; i++) {
    const uint64_t before = allocations, target = right.received() + 1;
    left.arrive(packet);
    left.outbound.admit();
    while (left.outbound.send() != never) {
    }
    while (right.received() < target) right.receive();
    if (i > 0) EXPECT_EQ(allocations - before, 0u);
  }
}

TEST("a broadcast is copied, sealed, opened and judged without an allocation") {
  Half left(1), right(2);
  connect(left, right);
  PeerChange takes_part;
  takes_part.fanout = true;
  left.state.core.update_peer(read_clocks(), *left.state.core.find(left.peer), takes_part);
  for (Half* half : {&left, &right}) half->state.core.fanout().configure(true, 0x0a0000ff, std::nullopt);
  auto packet = tcp(1, 255, 100);
  packet[9] = 17;
  for (uint32_t i = 0; i < 300; i++) {
    // No two are the same: the second one would be an echo.
    store_be32(&packet[40], i);
    const uint64_t target = right.received() + 1;
    expect_none(left, right, [&] {
      left.arrive(packet);
      left.outbound.admit();
      while (left.outbound.send() != never) {
      }
      while (right.received() < target) right.receive();
    });
  }
  EXPECT_EQ(right.state.core.fanout().counters().received, 300u);
}

TEST("what an owner relays is carried without an allocation once its queues have been filled") {
  Half left(1), right(2);
  connect_externally(left, right);
  while (!left.usable() || !right.usable()) {
    relay(left, right);
    relay(right, left);
  }
  const auto packet = tcp(1, 2, 1'400);
  constexpr int rounds = 300, packets = 32;
  for (int round = 0; round < rounds; round++) {
    const uint64_t before = allocations, target = right.received() + packets;
    for (int i = 0; i < packets; i++) left.arrive(packet);
    left.outbound.admit();
    while (left.outbound.send() != never) {
    }
    relay(left, right);
    EXPECT_EQ(right.received(), target);
    right.receive();
    if (round > rounds / 2) EXPECT_EQ(allocations - before, 0u);
  }
}

TEST("a packet leaves an idle device alone, unless it has to be copied, cut or kept behind others") {
  Half left(1), right(2);
  left.meet(right);
  right.meet(left);
  const auto leaves = [&left](size_t length, uint8_t to) {
    const auto packet = tcp(1, to, length);
    std::copy(packet.begin(), packet.end(), left.outbound.room().begin());
    offload::Offload offload;
    return left.outbound.send_alone(length, offload);
  };
  right.aim(left);
  EXPECT(!leaves(100, 2));  // no path, no session
  left.aim(right);
  while (!left.usable() || !right.usable()) {
    left.receive();
    right.receive();
  }
  EXPECT(leaves(100, 2));
  EXPECT(!leaves(100, 3));                      // nobody's
  EXPECT(!leaves(queue::small_packet, 2));      // bulk
  left.state.core.fanout().configure(true, 0x0a0000ff, std::nullopt);
  EXPECT(!leaves(100, 255));                    // for all
  const auto bulk = tcp(1, 2, 1'000);
  std::copy(bulk.begin(), bulk.end(), left.outbound.room().begin());
  left.outbound.arrived(bulk.size(), {});
  EXPECT(!leaves(100, 2));                      // what came before is still to be routed,
  left.outbound.admit();
  EXPECT(!leaves(100, 2));                      // and to leave
  while (left.outbound.send() != never) {
  }
  EXPECT(leaves(100, 2));
}
#endif
