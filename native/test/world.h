// Two cores, a network between them that can lose packets, and a clock that only the test moves.
#pragma once

#include "../src/device/core.h"
#include "check.h"
#include "open_message.h"

#include <array>
#include <deque>
#include <functional>

namespace wg::test {

inline Key random_key() {
  Key key;
  random_bytes(key.span());
  return key;
}

/// Of two ends that probe each other.
inline std::array<PeerConfig, 2> with_probe_keys() {
  const Key first = random_key(), second = random_key();
  std::array<PeerConfig, 2> ends{PeerConfig{}, PeerConfig{.initiate = false}};
  ends[0].probe = ProbeKeys{first, second};
  ends[1].probe = ProbeKeys{second, first};
  return ends;
}

/// An IPv4 packet from 10.0.0.`from` to 10.0.0.`to`.
inline std::vector<uint8_t> packet(uint8_t from, uint8_t to) {
  std::vector<uint8_t> out(24);
  out[0] = 0x45;
  out[3] = 24;
  const uint8_t addresses[] = {10, 0, 0, from, 10, 0, 0, to};
  std::copy(std::begin(addresses), std::end(addresses), out.begin() + 12);
  return out;
}

inline uint8_t type_of(ByteView datagram) { return datagram[0]; }

struct Sent {
  double at_s;
  int from;
  uint8_t type;
  size_t size;
};

class World {
 public:
  struct End {
    explicit End(const Key& key) : core(key, 1'420, random_bytes) {}
    Core core;
    PeerId peer = 0;
    std::vector<std::vector<uint8_t>> host;
    std::vector<Event> events;
  };

  explicit World(PeerConfig a = {}, PeerConfig b = {.initiate = false}) {
    a.allowed_ips = {*Prefix::parse("10.0.0.2/32")};
    b.allowed_ips = {*Prefix::parse("10.0.0.1/32")};
    ends[0].peer = *ends[0].core.add_peer(ends[1].core.identity().public_key, a);
    ends[1].peer = *ends[1].core.add_peer(ends[0].core.identity().public_key, b);
  }

  /// Sets both paths, the responder's first.
  void connect() {
    set_path(1);
    set_path(0);
  }

  void set_path(int end) {
    Effects effects;
    at(end).core.set_path(now(), peer(end), {PathKind::external, nullptr, {}, 0}, {}, effects);
    carry(end, effects);
  }

  /// The host of `end` sends a packet to the other.
  void host_sends(int end) {
    End& from = at(end);
    Effects effects;
    const auto inner = packet(static_cast<uint8_t>(end + 1), static_cast<uint8_t>(2 - end));
    const auto session = from.core.session_for_data(now(), peer(end), effects);
    if (session) {
      std::vector<uint8_t> buffer(inner.size() + data_overhead + 15);
      std::copy(inner.begin(), inner.end(), buffer.begin() + data_header_size);
      const ByteView sealed = session->seal(buffer.data(), inner.size(), 1'420);
      from.core.data_sent(now(), peer(end), sealed.size());
      effects.outgoing.push_back({from.peer, {PathKind::external, nullptr, {}, 0}, {sealed.begin(), sealed.end()}});
    } else {
      from.core.stage(peer(end), inner);
    }
    carry(end, effects);
  }

  /// Moves time to `seconds` after the start, waking each core exactly when it asked for.
  void run_until(double at_s) {
    const Nanos target = static_cast<Nanos>(at_s * 1e9);
    while (true) {
      const Nanos next = std::min(ends[0].core.next_deadline(), ends[1].core.next_deadline());
      if (next > start + target) break;
      time = std::max(time, next - start);
      for (int end = 0; end < 2; end++) {
        Effects effects;
        at(end).core.run_timers(now(), effects);
        carry(end, effects);
      }
      EXPECT(wakes++ < 100'000);  // a deadline that never goes away
    }
    time = target;
  }

  void receive(int end, ByteView datagram) {
    End& to = at(end);
    Effects effects;
    const Arrival arrival{{PathKind::external, nullptr, {}, 0}, to.peer};
    std::vector<uint8_t> copy(datagram.begin(), datagram.end());
    if (const auto session = to.core.receive(now(), arrival, copy, effects)) {
      if (const auto inner = open_message(*session, copy)) {
        const ByteView out = to.core.received_data(now(), *session, arrival, *inner, copy.size(), effects);
        if (!out.empty()) to.host.emplace_back(out.begin(), out.end());
      }
    }
    carry(end, effects);
  }

  End& at(int end) { return ends[static_cast<size_t>(end)]; }
  Peer& peer(int end) { return *at(end).core.find(at(end).peer); }
  Now now() const { return {start + time, static_cast<double>(time) / 1e6, 1'700'000'000'000'000'000 + time}; }
  double seconds_now() const { return static_cast<double>(time) / 1e9; }

  std::vector<Sent> of_type(uint8_t type) const {
    std::vector<Sent> out;
    std::ranges::copy_if(sent, std::back_inserter(out), [type](const Sent& s) { return s.type == type; });
    return out;
  }
  size_t handshakes(int end) {
    return static_cast<size_t>(std::ranges::count(at(end).events, EventType::handshake, &Event::type));
  }

  /// Whether a datagram is lost on its way.
  std::function<bool(int from, ByteView)> loses = [](int, ByteView) { return false; };
  std::vector<Sent> sent;
  std::vector<std::vector<uint8_t>> datagrams;

 private:
  void carry(int end, Effects& effects) {
    for (Event& event : effects.events) at(end).events.push_back(std::move(event));
    for (const Outgoing& out : effects.outgoing) {
      sent.push_back({seconds_now(), end, type_of(out.bytes), out.bytes.size()});
      datagrams.push_back(out.bytes);
      if (!loses(end, out.bytes)) receive(1 - end, out.bytes);
    }
  }

  static constexpr Nanos start = 1'000 * seconds;
  Nanos time = 0;
  int wakes = 0;
  std::array<End, 2> ends{End(random_key()), End(random_key())};
};

}  // namespace wg::test
