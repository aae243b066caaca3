// IP packets as bytes: reading the fields that a router looks at, and rewriting addresses with their checksums (RFC 1624).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace natbox {

using Packet = std::vector<std::uint8_t>;

/** Monotonic time in nanoseconds. */
using Time = std::int64_t;
constexpr Time kMillisecond = 1'000'000;
constexpr Time kSecond = 1000 * kMillisecond;

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;

/** An IPv4 address and port in host byte order. For an ICMP query the port is the query's identifier. */
struct Endpoint {
  std::uint32_t ip = 0;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

/** What a NAT must know of an IPv4 packet. */
struct Flow {
  std::uint8_t protocol = 0;
  Endpoint source;
  Endpoint destination;
  std::uint16_t identification = 0;
  std::size_t l4 = 0;          // offset of the transport header
  bool laterFragment = false;  // has no transport header: ports are zero
  bool moreFragments = false;
  std::uint8_t icmpType = 0;
  bool icmpError = false;
};

inline std::uint16_t get16(const Packet& p, std::size_t at) { return static_cast<std::uint16_t>(p[at] << 8 | p[at + 1]); }
inline std::uint32_t get32(const Packet& p, std::size_t at) {
  return static_cast<std::uint32_t>(get16(p, at)) << 16 | get16(p, at + 2);
}
inline void put16(Packet& p, std::size_t at, std::uint16_t value) {
  p[at] = static_cast<std::uint8_t>(value >> 8);
  p[at + 1] = static_cast<std::uint8_t>(value);
}
inline void put32(Packet& p, std::size_t at, std::uint32_t value) {
  put16(p, at, static_cast<std::uint16_t>(value >> 16));
  put16(p, at + 2, static_cast<std::uint16_t>(value));
}

inline int ipVersion(const Packet& p) { return p.empty() ? 0 : p[0] >> 4; }

/** Reads the IPv4 packet that starts at `at` (0, or the quoted packet inside an ICMP error). Nothing if it is malformed. */
std::optional<Flow> readFlow(const Packet& p, std::size_t at = 0);

/** Protocol of an IP packet of either version, ports included where it has them; nothing if it is malformed. */
std::optional<std::uint8_t> protocolOf(const Packet& p);

/** Gives a packet another source, or another destination; the transport checksum follows. */
void rewriteSource(Packet& p, const Flow& flow, const Endpoint& to);
void rewriteDestination(Packet& p, const Flow& flow, const Endpoint& to);

/** Rewrites the packet quoted in an ICMP error (whose own flow is `outer`) and repairs all checksums. */
void rewriteQuotedSource(Packet& p, const Flow& outer, const Flow& quoted, const Endpoint& to);
void rewriteQuotedDestination(Packet& p, const Flow& outer, const Flow& quoted, const Endpoint& to);

/** Offset of the packet quoted by an ICMP error. */
inline std::size_t quotedAt(const Flow& outer) { return outer.l4 + 8; }

/** Takes hops off the TTL or hop limit; false when the packet ends here. */
bool decrementTtl(Packet& p, int hops);

/** The Internet checksum (RFC 1071) of a range, as it would stand in a header. */
std::uint16_t checksum(const Packet& p, std::size_t from, std::size_t to);

/** Writes the header checksum of an IPv4 packet. */
void sealIpv4Header(Packet& p);

/** ICMP errors that a router sends about a packet: time exceeded, and too big with the next hop's MTU. Empty if not allowed. */
Packet timeExceeded(const Packet& about, std::uint32_t routerAddress);
Packet tooBig(const Packet& about, std::uint32_t routerAddress, std::size_t mtu);

/** Splits an IPv4 packet into fragments that fit the MTU (RFC 791, section 3.2). */
std::vector<Packet> fragments(const Packet& p, std::size_t mtu);

/** Throws std::runtime_error if the text is not an IPv4 address. */
std::uint32_t parseAddress(const std::string& text);
std::string formatAddress(std::uint32_t ip);

}  // namespace natbox
