// IPv4 and IPv6 prefixes: text to bytes, and the few questions asked of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace wg::tun {

/// An address with its prefix length. Bytes are in network order; IPv4 uses the first 4, the others are zero.
struct Prefix {
  uint8_t family = 4;  // 4 or 6
  uint8_t length = 0;  // bits
  std::array<uint8_t, 16> bytes{};

  uint8_t size() const { return family == 4 ? 4 : 16; }
  bool operator==(const Prefix&) const = default;

  /// Whether this prefix lies inside the one of `bits` bits at `network`.
  bool within(const Prefix& network) const;
  /// Whether every bit behind the prefix length is zero: a network, not a host in it.
  bool is_network() const;
  /// Whether every bit behind the prefix length is one.
  bool is_directed_broadcast() const;
};

/// Parses `ADDRESS/LENGTH`; the length is required and decimal. Nothing for anything else.
std::optional<Prefix> parse_prefix(const std::string& text);

/// Whether the family is 4 or 6, the length fits it, and bytes beyond an IPv4 address are zero.
bool is_well_formed(const Prefix& prefix);

}  // namespace wg::tun
