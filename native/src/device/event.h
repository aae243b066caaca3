// What the device tells its owner, and packets that wait to leave.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "../queue/classify.h"
#include "../udp/socket.h"

namespace wg {

using PeerId = uint32_t;
using udp::SocketId;

/// Readings of the clocks, taken once a batch.
struct Now {
  /// CLOCK_BOOTTIME: counts suspend. Timers and key ages.
  int64_t boot_ns;
  /// CLOCK_MONOTONIC in milliseconds. What owners see.
  double mono_ms;
  /// CLOCK_REALTIME. Handshake timestamps only.
  int64_t wall_ns;
};

enum class PathKind : uint8_t { none, udp, external };

/// Where sealed packets of a peer leave.
struct Path {
  PathKind kind = PathKind::none;
  std::shared_ptr<udp::Socket> socket;
  Endpoint to;
  /// Longest IP packet that passes, 0 while unknown. The same way with another one is still the same path.
  uint16_t mtu = 0;

  bool operator==(const Path& other) const {
    return kind == other.kind && (kind != PathKind::udp || (socket == other.socket && to == other.to));
  }
};

enum class EventType : uint8_t {
  stun, ping, pong, message, outbound, handshake, peer_moved, packet, discovery, socket_error, failed
};

/// Whether a ping was answered, and whether that was an address for which nothing had left lately.
enum class Answer : uint8_t { known, fresh, refused };

/// Which fields carry meaning depends on `type`, as in the contract.
struct Event {
  EventType type = EventType::failed;
  PeerId peer = 0;
  PathKind via = PathKind::none;
  SocketId socket = 0;
  Endpoint from;
  bool has_observed = false;
  Endpoint observed;
  uint64_t seq = 0;
  Answer answer = Answer::known;
  uint64_t new_remotes = 0;
  double at = 0;
  double rtt_ms = 0;
  int error = 0;
  /// How a packet of the host's left the queue; nothing for what the device says itself.
  std::optional<queue::Lane> lane;
  std::vector<uint8_t> bytes;
};

struct Outgoing {
  PeerId peer;
  Path path;
  std::vector<uint8_t> bytes;
};

/// What a step of the core asks its caller to do once the lock is released.
struct Effects {
  std::vector<Outgoing> outgoing;
  std::vector<Event> events;

  void clear() {
    outgoing.clear();
    events.clear();
  }
};

}  // namespace wg
