// What the filter has to know of an IP packet: its flow from this host's side, and what kind of message it is.
#pragma once

#include <optional>

#include "../noise/bytes.h"

namespace wg {

/// Of the IANA registry.
namespace ip_protocol {
constexpr uint8_t icmp = 1, tcp = 6, udp = 17, icmp6 = 58;
}

namespace tcp_flag {
constexpr uint8_t fin = 0x01, syn = 0x02, rst = 0x04, ack = 0x10;
}

/// Addresses, ports and protocol packed for comparing and hashing: local address, remote address, the rest.
struct FlowKey {
  std::array<uint64_t, 5> words{};
  bool operator==(const FlowKey&) const = default;
};

enum class PacketKind : uint8_t {
  tcp,
  udp,
  echo_request,
  echo_reply,
  icmp_error,
  /// ICMP that is neither: redirects, advertisements, timestamps.
  icmp_other,
  /// Not the first fragment: it has no ports.
  fragment,
  /// A protocol without ports that we know.
  other,
};

enum class Direction : uint8_t { from_host, from_peer };

struct PacketView {
  PacketKind kind;
  bool v4;
  uint8_t protocol;
  /// TCP and UDP, from this host's side.
  uint16_t local_port = 0, remote_port = 0;
  uint8_t tcp_flags = 0;
  FlowKey flow;
  /// Set for every fragment: what its siblings share.
  std::optional<FlowKey> datagram;
  ByteView destination;
  /// ICMP errors: the packet that they are about, cut short.
  ByteView quoted;

  /**
   * Nothing when it is no IP packet, or one that a filter must not guess about: a first fragment without its ports
   * (RFC 1858), one that would write over them (RFC 3128), or more extension headers than anybody sends.
   */
  static std::optional<PacketView> parse(ByteView packet, Direction direction);
  /// The flow of a packet quoted in an ICMP error, where ports are all that is there for sure (RFC 792).
  static std::optional<FlowKey> quoted_flow(ByteView packet, Direction direction);
  /// The same host port, whatever the other end: who answers a search.
  FlowKey any_remote() const;
};

}  // namespace wg
