// The data path allocates nothing: counted over a million packets, both ways through sockets of the loopback interface.
#include <sys/socket.h>
#include <unistd.h>

#include "../src/device/inbound.h"
#include "../src/device/outbound.h"
#include "check.h"

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
thread_local uint64_t allocations = 0;
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

/// A device's two halves on the test's own thread.
struct Half {
  explicit Half(uint8_t host) : own(host), state(random_key(), 1'420, 64, [] {}), outbound(state, host_queue_places, true) {
    int error = 0;
    socket = udp::Socket::open(0, {*Endpoint::parse("127.0.0.1", 0), 0}, error);
    EXPECT_EQ(error, 0);
    // Nobody's interface: a datagram socket, whose other end the test empties.
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
    tun = tun::HostTun::duplicate(ends[0]);
    writer.emplace(state, &*tun);
    inbound.emplace(state, inbox, *writer);
  }
  ~Half() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  static Key random_key() {
    Key key;
    random_bytes(key.span());
    return key;
  }

  void meet(const Half& other) {
    PeerConfig config;
    config.allowed_ips = {*Prefix::parse("10.0.0." + std::to_string(other.own) + "/32")};
    peer = *state.core.add_peer(other.state.core.identity().public_key, config);
  }
  void aim(const Half& other) {
    Effects effects;
    const Path path{PathKind::udp, socket, *Endpoint::parse("127.0.0.1", other.socket->port()), 0};
    state.core.set_path(read_clocks(), *state.core.find(peer), path, {}, effects);
    Sender(state, true).run(effects);
  }
  uint64_t received() { return state.core.find(peer)->counters.rx_packets; }
  /// Works off what waits, and throws away what reached the host.
  void receive() {
    inbound->receive(socket);
    while (inbound->receive_bulk()) {
    }
    uint8_t bytes[2'048];
    while (::recv(ends[1], bytes, sizeof bytes, 0) > 0) {
    }
  }

  const uint8_t own;
  State state;
  Inbox inbox;
  Outbound outbound;
  std::shared_ptr<udp::Socket> socket;
  int ends[2];
  std::optional<tun::HostTun> tun;
  std::optional<HostWriter> writer;
  std::optional<Inbound> inbound;
  PeerId peer = 0;
};

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

/// Sends one frame of 44 segments, or as many packets alone, and waits until they have arrived.
void carry(Half& from, Half& to, bool cut) {
  constexpr uint16_t segments = 44, payload = 1'368;
  const auto packet = tcp(from.own, to.own, cut ? 52 + segments * payload : 400);
  const offload::Offload offload = cut ? offload::Offload{offload::Kind::tcp, payload, 20, 16} : offload::Offload{};
  const uint64_t before = allocations, target = to.received() + segments;
  for (size_t i = 0; i < (cut ? 1 : segments); i++) {
    std::copy(packet.begin(), packet.end(), from.outbound.room().begin());
    from.outbound.arrived(packet.size(), offload);
  }
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

}  // namespace

TEST("a million packets, cut or alone, are sealed, sent, opened and checked without an allocation") {
  Half left(1), right(2);
  left.meet(right);
  right.meet(left);
  right.aim(left);
  left.aim(right);
  const auto usable = [](Half& half) { return half.state.core.find(half.peer)->current != nullptr; };
  while (!usable(left) || !usable(right)) {
    left.receive();
    right.receive();
  }
  EXPECT(allocations > 0);  // they are counted
  for (int i = 0; i < 22'728; i++) carry(i % 2 == 0 ? left : right, i % 2 == 0 ? right : left, i % 4 < 2);
  EXPECT(left.received() + right.received() >= 1'000'000);
  for (int i = 0; i < 1'000; i++) carry_alone(i % 2 == 0 ? left : right, i % 2 == 0 ? right : left);
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
  const auto usable = [](Half& half) { return half.state.core.find(half.peer)->current != nullptr; };
  while (!usable(left) || !usable(right)) {
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
