// The pool of threads that seals and opens, forced where there are no cores for it: order, counters, keys and the end.
#include <atomic>
#include <map>
#include <random>

#include "half.h"
#include "open_message.h"

namespace {

using namespace wg;
using test::connect;
using test::Half;

constexpr size_t tcp_headers = 40;

/// Byte `at` of a flow's stream.
uint8_t stream(uint16_t flow, uint32_t at) { return static_cast<uint8_t>(at * 31 + flow * 7 + (at >> 8)); }

/// A TCP packet of one flow, which is its source port, with `payload` bytes of its stream from `at` on.
std::vector<uint8_t> segment(uint8_t from, uint8_t to, uint16_t flow, uint32_t at, size_t payload) {
  std::vector<uint8_t> out(tcp_headers + payload);
  out[0] = 0x45;
  store_be16(&out[2], static_cast<uint16_t>(out.size()));
  out[9] = 6;
  store_be32(&out[12], 0x0a000000u | from);
  store_be32(&out[16], 0x0a000000u | to);
  store_be16(&out[20], flow);
  store_be32(&out[24], at);
  out[32] = 0x50;
  out[33] = 0x10;
  for (uint32_t i = 0; i < payload; i++) out[tcp_headers + i] = stream(flow, at + i);
  return out;
}

/// What one side has sent to the other, and what has come.
struct Traffic {
  std::map<uint16_t, uint32_t> sent, received;
  uint64_t packets_sent = 0, packets_received = 0;
  /// By the sender's queue, on a machine that is too busy to send.
  uint64_t dropped = 0;

  /// A packet of any size, or a frame of at most 60 KB, of a random flow. No host cuts TCP as small as a game's packets.
  void send(Half& from, const Half& to, std::mt19937& random) {
    const auto flow = static_cast<uint16_t>(1 + random() % 6);
    const size_t count = random() % 2 == 0 ? 1 : 2 + random() % 39;
    const size_t least = count == 1 ? 1 : 400;
    const auto size = static_cast<uint16_t>(random() % 2 == 0 ? 1'368 : least + random() % (1'369 - least));
    const auto frame = segment(from.own, to.own, flow, sent[flow], count * size);
    from.arrive(frame, count == 1 ? offload::Offload{} : offload::Offload{offload::Kind::tcp, size, 20, 16});
    sent[flow] += static_cast<uint32_t>(count * size);
    packets_sent += count;
  }

  void take(ByteView packet) {
    EXPECT(packet.size() > tcp_headers);
    const uint16_t flow = load_be16(&packet[20]);
    const uint32_t at = load_be32(&packet[24]);
    EXPECT(at == received[flow] || (dropped > 0 && at > received[flow]));
    for (uint32_t i = 0; i < packet.size() - tcp_headers; i++) EXPECT_EQ(packet[tcp_headers + i], stream(flow, at + i));
    received[flow] = at + static_cast<uint32_t>(packet.size() - tcp_headers);
    packets_received++;
  }

  /// Whether something has not come, of which the sender does not know better.
  bool misses(const Half& from) {
    dropped = from.state.bulk_dropped;
    return packets_received + dropped < packets_sent;
  }
};

/// Asks for new keys with the next data, however young these are.
void expire_keys(Half& initiator, Half& responder) {
  Peer& peer = *initiator.state.core.find(initiator.peer);
  peer.current->skip_to(rekey_after_messages);
  peer.initiation_sent = responder.state.core.find(responder.peer)->initiation_received = 0;
}

/// Work whose thread the test sees, and may hold up.
struct Held : CryptoWork {
  explicit Held(bool hold) : held(hold) {}
  void run() override {
    thread = std::this_thread::get_id();
    begun = true;
    begun.notify_all();
    held.wait(true);
  }
  std::atomic<bool> held, begun{false};
  std::thread::id thread;
};

}  // namespace

TEST("crypto pool: no threads below four cores, then all cores but two, at most four") {
  constexpr size_t expected[][2] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 2}, {5, 3}, {6, 4}, {8, 4}, {64, 4}};
  for (const auto& [cores, threads] : expected) EXPECT_EQ(default_crypto_threads(cores), threads);
  EXPECT(usable_cores() >= 1);
}

TEST("crypto pool: what no worker has begun is done by who waits for it") {
  CryptoPool pool(1);
  Held first(true), second(false);
  pool.hand_in(first);
  first.begun.wait(false);
  pool.hand_in(second);
  EXPECT(!pool.done(first) && !pool.done(second));
  pool.complete(second);
  EXPECT(second.thread == std::this_thread::get_id());
  first.held = false;
  first.held.notify_all();
  pool.complete(first);
  EXPECT(first.thread != std::this_thread::get_id());
  EXPECT(pool.done(first));
}

TEST("crypto pool: every flow arrives in order and whole, each packet once, both ways and through new keys") {
  CryptoPool pool(3);
  Half left(1, &pool, Half::Host::memory), right(2, &pool, Half::Host::memory);
  connect(left, right);
  Traffic there, back;
  std::mt19937 random(7);
  const auto receive = [&] {
    right.receive([&](ByteView packet) { there.take(packet); });
    left.receive([&](ByteView packet) { back.take(packet); });
  };
  for (int round = 0; round < 300; round++) {
    if (round % 20 == 10) expire_keys(left, right);
    for (size_t i = random() % 5; i > 0; i--) there.send(left, right, random);
    for (size_t i = random() % 5; i > 0; i--) back.send(right, left, random);
    left.outbound.admit();
    right.outbound.admit();
    for (bool more = true; more;) {
      const Nanos next = std::min(left.outbound.send(), right.outbound.send());
      more = next != never || there.misses(left) || back.misses(right);
      receive();
    }
  }
  EXPECT(there.packets_sent > 5'000 && back.packets_sent > 5'000);
  EXPECT_EQ(left.state.rejected + right.state.rejected, uint64_t{0});
  EXPECT_EQ(left.state.tx_dropped + right.state.tx_dropped, uint64_t{0});
}

TEST("crypto pool: counters leave in their order, and a second copy of a message is refused") {
  CryptoPool pool(3);
  Half left(1, &pool, Half::Host::memory), right(2, &pool, Half::Host::memory);
  connect(left, right);
  const auto send = [&] {
    for (uint32_t i = 0; i < 4; i++) {
      left.arrive(segment(1, 2, 1, i * 40 * 1'368, 40 * 1'368), {offload::Kind::tcp, 1'368, 20, 16});
    }
    left.outbound.admit();
    while (left.outbound.send() != never) {
    }
  };
  uint64_t next = left.state.core.find(left.peer)->current->messages_sent();
  send();
  // By hand: the right half does not see these.
  udp::ReceiveBatch batch;
  for (size_t count = 0; count < 160;) {
    for (const udp::Received& read : batch.receive(*right.socket)) {
      udp::split(read, [&](ByteSpan datagram) {
        EXPECT_EQ(load_le64(&datagram[data_at::counter]), next++);
        Effects effects;
        const auto session = right.state.core.receive(read_clocks(), {}, datagram, effects);
        EXPECT(session && test::open_message(*session, datagram));
        count++;
      });
      batch.release(read.buffer);
    }
  }

  // Each leaves twice now.
  Peer& peer = *left.state.core.find(left.peer);
  peer.duplicate = peer.path;
  const uint64_t received = right.received();
  send();
  while (right.received() < received + 160 || right.state.rejected < 160) right.receive();
  EXPECT_EQ(right.received(), received + 160);
  EXPECT_EQ(right.state.rejected.load(), uint64_t{160});
}

TEST("crypto pool: what was handed in leaves, and arrives, before the end") {
  CryptoPool pool(3);
  Half right(2, &pool, Half::Host::memory);
  uint64_t sent = 0;
  {
    Half left(1, &pool, Half::Host::memory);
    connect(left, right);
    for (uint32_t i = 0; i < 4; i++) {
      left.arrive(segment(1, 2, 1, i * 40 * 1'368, 40 * 1'368), {offload::Kind::tcp, 1'368, 20, 16});
    }
    left.outbound.admit();
    EXPECT_EQ(left.outbound.send(), Nanos{0});
    sent = left.state.core.find(left.peer)->counters.tx_packets;
    EXPECT(sent > 0);
  }
  // The inbound half ends with reads under way.
  right.inbound->receive(right.socket);
  while (right.received() < sent) {
    if (right.inbound->receive_bulk()) right.inbound.emplace(right.state, right.inbox, *right.writer, &pool);
    right.inbound->receive(right.socket);
  }
  EXPECT_EQ(right.received(), sent);
}
