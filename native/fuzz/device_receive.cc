// Everything a device does with datagrams, without sockets or threads: classification, handshakes, cookies, transport data,
// probes, STUN, packets from the host, and batches that the kernel joined. Two cores talk; the input says what they say, and
// bends what is in flight.
#include <cstdlib>

#include "../src/device/core.h"
#include "../test/open_message.h"
#include "joined.h"
#include "input.h"

namespace {

using namespace wg;
using fuzz::Input;
using fuzz::Joined;

constexpr size_t max_datagram = 2'048;

/// The same bytes in every run, never the same twice in one.
Random deterministic(uint64_t seed) {
  return [state = seed](ByteSpan out) mutable {
    for (uint8_t& byte : out) {
      state = state * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
      byte = static_cast<uint8_t>(state >> 56);
    }
  };
}

Key filled_key(uint8_t value) {
  const std::vector<uint8_t> bytes(32, value);
  return Key(bytes);
}

const Path external{PathKind::external, nullptr, {}, 0};

/// One device without its threads; what it sends waits in `effects`.
struct Side {
  Side(uint8_t own_key, uint8_t other_key, const char* other_room)
      : core(filled_key(own_key), 1420, deterministic(own_key)) {
    PeerConfig config;
    config.preshared_key = filled_key(0x77);
    config.allowed_ips = {*Prefix::parse(other_room)};
    config.roaming = true;
    config.fanout = true;
    config.probe = ProbeKeys{filled_key(own_key ^ 0x40), filled_key(other_key ^ 0x40)};
    peer = core.find(*core.add_peer(x25519_public(filled_key(other_key)), config));
  }

  Core core;
  Peer* peer;
  Effects effects;
};

class Conversation {
 public:
  Conversation() : left_(1, 2, "10.64.0.2/32"), right_(2, 1, "10.64.0.1/32") {
    left_.core.fanout().configure(true, 0x0a400fff, 0x0a400001);
    right_.core.set_path(now_, *right_.peer, external, {}, right_.effects);
    left_.core.set_path(now_, *left_.peer, external, {}, left_.effects);
  }

  void step(Input& input) {
    const uint8_t choice = input.byte();
    if (choice >= 250) return batch(input);
    switch (choice % 9) {
      case 0: return deliver(left_, input.block(max_datagram));
      case 1: return carry(right_, left_, {});
      case 2: return carry(left_, right_, {});
      case 3: return carry(right_, left_, input.block(64));
      case 4: return seal(input.block(max_datagram));
      case 5: return probe(static_cast<ProbeKind>(input.byte()), input.number(), input.block(max_datagram));
      case 6: return from_host(input.block(max_datagram));
      case 7: return pass(input.number());
      default: return stun(input.block(max_datagram));
    }
  }

 private:
  static void deliver(Side& to, std::vector<uint8_t> datagram, Now now) {
    const Arrival arrival{external, to.peer->id};
    const auto session = to.core.receive(now, arrival, datagram, to.effects);
    if (!session) return;
    const auto inner = test::open_message(*session, datagram);
    if (!inner) return;
    const ByteView packet = to.core.received_data(now, *session, arrival, *inner, datagram.size(), to.effects);
    // What reaches the host is whole and came from the address that the peer owns.
    if (packet.empty()) return;
    const auto header = InnerHeader::parse(packet);
    if (!header || header->length != packet.size() || to.core.route({header->v4, {}, header->source, 0}) != to.peer) {
      std::abort();
    }
  }
  void deliver(Side& to, std::vector<uint8_t> datagram) { deliver(to, std::move(datagram), now_); }

  /// Delivers what waits; `bend` is pairs of (position, mask) that change the bytes on the way.
  void carry(Side& from, Side& to, const std::vector<uint8_t>& bend) {
    std::vector<Outgoing> waiting;
    std::swap(waiting, from.effects.outgoing);
    for (Outgoing& packet : waiting) {
      for (size_t i = 0; i + 1 < bend.size() && !packet.bytes.empty(); i += 2) {
        packet.bytes[bend[i] % packet.bytes.size()] ^= bend[i + 1];
      }
      deliver(to, std::move(packet.bytes));
    }
    from.effects.events.clear();
  }

  /// An authentic data message with any content.
  void seal(const std::vector<uint8_t>& inner) {
    const auto& session = right_.core.session_for_data(now_, *right_.peer, right_.effects);
    if (!session) return right_.core.stage(*right_.peer, inner);
    std::vector<uint8_t> buffer(inner.size() + data_overhead + 15);
    std::copy(inner.begin(), inner.end(), buffer.begin() + data_header_size);
    const ByteView sealed = session->seal(buffer.data(), inner.size(), right_.core.mtu());
    if (sealed.empty()) return;
    right_.core.data_sent(now_, *right_.peer, sealed.size());
    deliver(left_, {sealed.begin(), sealed.end()});
  }

  /// Authentic messages side by side, as UDP_GRO joins them, with any length for each and bytes bent.
  void batch(Input& input) {
    std::vector<uint8_t> bytes;
    const size_t count = input.byte() % 16;
    for (size_t i = 0; i < count; i++) {
      const auto& session = right_.core.session_for_data(now_, *right_.peer, right_.effects);
      if (!session) return;
      const auto inner = input.block(max_datagram);
      std::vector<uint8_t> buffer(inner.size() + data_overhead + 15);
      std::copy(inner.begin(), inner.end(), buffer.begin() + data_header_size);
      const ByteView sealed = session->seal(buffer.data(), inner.size(), right_.core.mtu());
      bytes.insert(bytes.end(), sealed.begin(), sealed.end());
    }
    const size_t segment = input.number();
    for (const uint8_t bend : input.block(4)) {
      if (!bytes.empty()) bytes[bend % bytes.size()] ^= bend;
    }
    Joined joined;
    udp::split({bytes, segment, {}, 0}, [&](ByteSpan datagram) {
      if (datagram.empty() || datagram.size() > segment) std::abort();
      open(datagram, joined);
    });
    joined.finish();
  }

  void open(ByteSpan datagram, Joined& joined) {
    const Arrival arrival{external, left_.peer->id};
    const auto session = left_.core.receive(now_, arrival, datagram, left_.effects);
    const auto inner = session ? test::open_message(*session, datagram) : std::nullopt;
    if (!inner) return;
    const ByteView packet =
        left_.core.received_data(now_, *session, arrival, *inner, datagram.size(), left_.effects);
    if (!packet.empty()) joined.add(inner->first(packet.size()));
  }

  /// An authentic probe with any content; what we ask, `left_` has asked as well, so that a pong finds its ping.
  void probe(ProbeKind kind, uint64_t seq, const std::vector<uint8_t>& body) {
    if (kind == ProbeKind::pong) left_.core.ping_sent(*left_.peer, seq, (seq & 1) != 0, now_.mono_ms);
    deliver(left_, right_.core.seal_probe(*right_.peer, kind, seq, body));
  }

  void from_host(const std::vector<uint8_t>& packet) {
    const auto header = InnerHeader::parse(packet);
    if (!header || left_.core.fan_out(now_, *header, packet, left_.effects) != FanoutVerdict::not_ours) return;
    Peer* peer = left_.core.route(*header);
    if (peer && !left_.core.session_for_data(now_, *peer, left_.effects)) left_.core.stage(*peer, packet);
  }

  void pass(uint16_t tenths) {
    now_.boot_ns += tenths * (seconds / 10);
    now_.wall_ns += tenths * (seconds / 10);
    now_.mono_ms += tenths * 100;
    for (Side* side : {&left_, &right_}) {
      if (now_.boot_ns >= side->core.next_deadline()) side->core.run_timers(now_, side->effects);
    }
  }

  void stun(const std::vector<uint8_t>& datagram) {
    left_.core.stun().sent(datagram, now_.mono_ms);
    deliver(left_, datagram);
  }

  Now now_{1'000 * seconds, 1'000'000, 1'700'000'000 * seconds};
  Side left_, right_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Conversation conversation;
  for (int steps = 0; !input.empty() && steps < 64; steps++) conversation.step(input);
  return 0;
}
