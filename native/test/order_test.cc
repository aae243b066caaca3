// No flow is reordered: small packets pass the bulk of others and never their own, on the way out and in.
#include "half.h"
#include "open_message.h"

namespace {

using namespace wg;
using test::connect;
using test::Half;

constexpr size_t headers = 40, full = 1'368, little = 100;

/// A TCP packet, or a frame of full segments, whose sequence number is the number of the first.
std::vector<uint8_t> numbered(uint32_t number, size_t payload) {
  std::vector<uint8_t> out(headers + payload);
  out[0] = 0x45;
  store_be16(&out[2], static_cast<uint16_t>(out.size()));
  out[9] = 6;
  store_be32(&out[12], 0x0a000001);
  store_be32(&out[16], 0x0a000002);
  store_be32(&out[24], number);
  out[32] = 0x50;
  out[33] = 0x10;
  return out;
}

/// Two that have met; what the left one sends is numbered, and has to arrive in order.
struct Way {
  explicit Way(CryptoPool* pool = nullptr) : left(1, pool, Half::Host::memory), right(2, pool, Half::Host::memory) {
    connect(left, right);
    right.take([](ByteView) {});
  }

  void arrive(size_t payload, size_t segments = 1) {
    const offload::Offload cut{offload::Kind::tcp, full, 20, 16};
    left.arrive(numbered(next, payload), segments > 1 ? cut : offload::Offload{});
    // The segments of a frame count by their bytes.
    next += static_cast<uint32_t>(payload);
  }
  void send() {
    left.outbound.admit();
    while (left.outbound.send() != never) {
    }
  }
  /// One datagram by itself, past the left one's queue.
  void send_singly(size_t payload) {
    send_singly(numbered(next, payload));
    next += static_cast<uint32_t>(payload);
  }
  void send_singly(const std::vector<uint8_t>& packet) {
    std::vector<uint8_t> buffer(packet.size() + data_overhead + 15);
    std::ranges::copy(packet, buffer.begin() + data_header_size);
    const ByteView sealed = left.state.core.find(left.peer)->current->seal(buffer.data(), packet.size(), 1'420);
    EXPECT_EQ(left.socket->send(*Endpoint::parse("127.0.0.1", right.socket->port()), sealed), 0);
  }
  /// A small datagram of UDP, which keeps no order.
  void send_game() {
    auto packet = numbered(0, little);
    packet[9] = 17;
    send_singly(packet);
    games++;
  }
  void check(ByteView packet) {
    if (packet[9] == 17) {
      games_heard++;
      return;
    }
    EXPECT_EQ(load_be32(&packet[24]), heard);
    heard += static_cast<uint32_t>(packet.size() - headers);
  }
  void receive() {
    right.receive([this](ByteView packet) { check(packet); });
  }
  void take() {
    right.take([this](ByteView packet) { check(packet); });
  }

  Half left, right;
  uint32_t next = 0, heard = 0;
  size_t games = 0, games_heard = 0;
};

}  // namespace

TEST("order: small segments that the kernel joined stay behind their flow's bulk") {
  CryptoPool pool(2);
  for (CryptoPool* const some : {static_cast<CryptoPool*>(nullptr), &pool}) {
    Way way(some);
    for (int round = 0; round < 20; round++) {
      for (int frame = 0; frame < 3; frame++) way.arrive(30 * full, 30);
      for (int i = 0; i < 10; i++) way.arrive(little);
      way.send();
      while (way.heard < way.next) way.receive();
    }
  }
}

TEST("order: a small segment waits for one that waits, even when the bulk before both has gone") {
  Way way;
  // As much as is opened at a time, and then one that has to wait for its turn.
  for (int i = 0; i < 46; i++) way.send_singly(full);
  way.send_singly(little);
  way.right.inbound->receive(way.right.socket);
  EXPECT(way.right.inbound->receive_bulk());
  way.take();
  EXPECT(way.heard < way.next);
  way.send_singly(little);
  while (way.heard < way.next) way.receive();
}

TEST("order: more small datagrams than have a place between bulk make it lose nothing") {
  Way way;
  for (int i = 0; i < 30; i++) {
    way.send_singly(full);
    for (int j = 0; j < 10; j++) way.send_game();
  }
  while (way.heard < way.next || way.games_heard < way.games) way.receive();
}

TEST("order: bulk leaves behind the small segments that came before it, however many they are") {
  Way way;
  for (int i = 0; i < 200; i++) way.arrive(little);
  way.arrive(full);
  way.send();
  // By hand: what has left is looked at in its order.
  udp::ReceiveBatch batch;
  while (way.heard < way.next) {
    for (const udp::Received& read : batch.receive(*way.right.socket)) {
      udp::split(read, [&](ByteSpan datagram) {
        Effects effects;
        const auto session = way.right.state.core.receive(read_clocks(), {}, datagram, effects);
        EXPECT(session);
        const auto inner = test::open_message(*session, datagram);
        EXPECT(inner);
        way.check(inner->first(load_be16(&(*inner)[2])));
      });
      batch.release(read.buffer);
    }
  }
}
