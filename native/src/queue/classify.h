// Which packets of the host pass the others, and which belong together.
#pragma once

#include "../noise/bytes.h"

namespace wg::queue {

/// Tuning: packets below this many bytes are a game's or somebody's voice, or acknowledgements. Below 350 lies nearly
/// everything that waits for an answer, above it what fills a link.
constexpr size_t small_packet = 350;
/// Code point CS4 (RFC 2474). Above it are CS5 to CS7, EF (RFC 3246) and what RFC 4594 gives to interactive traffic.
constexpr uint8_t express_code_point = 32;

/// Express passes bulk.
enum class Lane : uint8_t { express, bulk };

struct Class {
  Lane lane;
  /// Keyed hash of the five-tuple; fragments have no ports, so all of one pair of hosts share a flow.
  uint64_t flow;
};

/// `packet` is a whole IPv4 or IPv6 packet, or the frame that segmentation offload makes packets of (`segmented`).
/// `seed` keeps strangers from choosing which flows collide.
Class classify(ByteView packet, bool segmented, uint64_t seed);

/// Whether a packet must not pass what came before it: a TCP segment with data, whose flow would take the rest for lost, and a
/// fragment, which nobody knows before its first. Of IPv6's extension headers only a leading fragment header is seen.
bool keeps_order(ByteView packet);

/// Whether somebody waits for a packet at this moment, as in a game: a small datagram of UDP.
bool is_play(ByteView packet);

/// 64 bits that differ when either input does, as far as anyone can tell.
constexpr uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a ^ (b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace wg::queue
