// IPv4 as far as broadcast and multicast need it.
#pragma once

#include <optional>

#include "../noise/bytes.h"

namespace wg {

constexpr uint8_t ip_protocol_igmp = 2;
constexpr uint8_t ip_protocol_udp = 17;
constexpr uint32_t limited_broadcast = 0xffffffff;

inline bool is_multicast(uint32_t address) { return address >> 28 == 0xe; }

/// One IPv4 packet or fragment. Addresses and ports in host order; views point into the packet.
struct Ipv4Packet {
  uint32_t source, destination;
  uint8_t protocol;
  /// Identification: the same in all fragments of a datagram.
  uint16_t id;
  /// Bytes before this fragment's.
  uint16_t offset;
  bool more_fragments;
  ByteView header, body;

  bool is_first() const { return offset == 0; }
  bool is_fragment() const { return offset != 0 || more_fragments; }
  size_t size() const { return header.size() + body.size(); }

  /// Nothing when it is not a whole IPv4 packet.
  static std::optional<Ipv4Packet> parse(ByteView packet);
};

struct UdpHeader {
  uint16_t source_port, destination_port;
  ByteView payload;

  /// From a datagram or its first fragment; nothing when that is no UDP.
  static std::optional<UdpHeader> parse(const Ipv4Packet& packet);
};

/// RFC 1071 over `bytes`, continued from `sum`; not complemented.
uint32_t internet_sum(ByteView bytes, uint32_t sum = 0);
/// Folds to 16 bits and complements.
uint16_t internet_checksum(uint32_t sum);

}  // namespace wg
