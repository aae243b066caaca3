// A device's two halves on the test's own thread, between a socket of the loopback and either an interface that is nobody's
// (a datagram socket whose other end the test holds, and which may be full) or memory, where nothing is lost.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include "../src/device/inbound.h"
#include "../src/device/outbound.h"
#include "check.h"

namespace wg::test {

struct Half {
  enum class Host { interface, memory };

  explicit Half(uint8_t host, CryptoPool* pool = nullptr, Host kind = Host::interface)
      : own(host), state(random_key(), 1'420, event_limit, [] {}), outbound(state, host_queue_places, true, pool), events(64) {
    int error = 0;
    socket = udp::Socket::open(0, {*Endpoint::parse("127.0.0.1", 0), 0}, error);
    EXPECT_EQ(error, 0);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
    if (kind == Host::interface) tun = tun::HostTun::duplicate(ends[0]);
    writer.emplace(state, tun ? &*tun : nullptr);
    inbound.emplace(state, inbox, *writer, pool);
  }
  ~Half() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Half(const Half&) = delete;
  static Key random_key() {
    Key key;
    random_bytes(key.span());
    return key;
  }

  void meet(const Half& other) {
    PeerConfig config;
    config.initiate = own < other.own;
    config.allowed_ips = {*Prefix::parse("10.0.0." + std::to_string(other.own) + "/32")};
    peer = *state.core.add_peer(other.state.core.identity().public_key, config);
  }
  void aim(const Half& other) {
    Effects effects;
    const Path path{PathKind::udp, socket, *Endpoint::parse("127.0.0.1", other.socket->port()), 0};
    state.core.set_path(read_clocks(), *state.core.find(peer), path, {}, effects);
    Sender(state, host_patience_ms).run(effects);
  }
  bool usable() { return state.core.find(peer)->current != nullptr; }
  uint64_t received() { return state.core.find(peer)->counters.rx_packets; }
  void arrive(ByteView packet, const offload::Offload& offload = {}) {
    std::copy(packet.begin(), packet.end(), outbound.room().begin());
    outbound.arrived(packet.size(), offload);
  }
  /// Works off what waits, and hands what reached the host to `each`.
  template <typename Each>
  void receive(const Each& each) {
    inbound->receive(socket);
    while (inbound->receive_bulk()) take(each);
    take(each);
  }
  void receive() {
    receive([](ByteView) {});
  }
  template <typename Each>
  void take(const Each& each) {
    uint8_t bytes[2'048];
    for (ssize_t length; (length = ::recv(ends[1], bytes, sizeof bytes, 0)) > 0;) each(ByteView(bytes, bytes + length));
    for (size_t count; (count = state.events.take(events)) > 0;) {
      for (const Event& event : std::span(events).first(count)) {
        if (event.type == EventType::packet) each(ByteView(event.bytes));
      }
    }
  }

  static constexpr size_t event_limit = 4'096;

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
  std::vector<Event> events;
};

/// Both meet, and have a session.
inline void connect(Half& left, Half& right) {
  left.meet(right);
  right.meet(left);
  right.aim(left);
  left.aim(right);
  while (!left.usable() || !right.usable()) {
    left.receive();
    right.receive();
  }
}

}  // namespace wg::test
