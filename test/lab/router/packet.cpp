#include "packet.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace natbox {
namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kMoreFragments = 0x2000;

/** RFC 1624, equation 3: the checksum after one 16-bit word changed. */
void adjust(Packet& p, std::size_t at, std::uint16_t before, std::uint16_t after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~get16(p, at)) + static_cast<std::uint16_t>(~before) + std::uint32_t{after};
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(p, at, static_cast<std::uint16_t>(~sum));
}

void adjust32(Packet& p, std::size_t at, std::uint32_t before, std::uint32_t after) {
  adjust(p, at, static_cast<std::uint16_t>(before >> 16), static_cast<std::uint16_t>(after >> 16));
  adjust(p, at, static_cast<std::uint16_t>(before), static_cast<std::uint16_t>(after));
}

/** Where the transport checksum stands, or nothing when there is none to keep right (UDP may send zero: RFC 768). */
std::optional<std::size_t> transportChecksumAt(const Packet& p, const Flow& flow) {
  if (flow.laterFragment) return std::nullopt;
  std::size_t at = 0;
  if (flow.protocol == kUdp) at = flow.l4 + 6;
  else if (flow.protocol == kTcp) at = flow.l4 + 16;
  else if (flow.protocol == kIcmp) at = flow.l4 + 2;
  else return std::nullopt;
  if (at + 2 > p.size()) return std::nullopt;
  if (flow.protocol == kUdp && get16(p, at) == 0) return std::nullopt;
  return at;
}

struct Place {
  std::size_t ip;
  std::size_t port;
};

void rewrite(Packet& p, std::size_t header, const Flow& flow, Place place, const Endpoint& before, const Endpoint& after) {
  adjust32(p, header + 10, before.ip, after.ip);
  put32(p, place.ip, after.ip);
  if (flow.laterFragment || flow.icmpError) return;
  const auto sum = transportChecksumAt(p, flow);
  // The pseudo header holds the addresses (RFC 768, RFC 9293); ICMP for IPv4 has none.
  if (sum && flow.protocol != kIcmp) adjust32(p, *sum, before.ip, after.ip);
  if (sum) adjust(p, *sum, before.port, after.port);
  if (place.port + 2 <= p.size()) put16(p, place.port, after.port);
}

std::size_t sourcePortAt(const Flow& flow) { return flow.protocol == kIcmp ? flow.l4 + 4 : flow.l4; }
std::size_t destinationPortAt(const Flow& flow) { return flow.protocol == kIcmp ? flow.l4 + 4 : flow.l4 + 2; }

void sealIcmp(Packet& p, const Flow& outer) {
  put16(p, outer.l4 + 2, 0);
  put16(p, outer.l4 + 2, checksum(p, outer.l4, p.size()));
}

Packet icmp4Error(const Packet& about, std::uint32_t routerAddress, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  const auto flow = readFlow(about);
  // RFC 1122, section 3.2.2: never about an ICMP error or a later fragment.
  if (!flow || flow->icmpError || flow->laterFragment) return {};
  const std::size_t quoted = std::min(about.size(), std::size_t{548});
  Packet out(kIpv4Header + 8 + quoted, 0);
  out[0] = 0x45;
  put16(out, 2, static_cast<std::uint16_t>(out.size()));
  out[8] = 64;
  out[9] = kIcmp;
  put32(out, 12, routerAddress);
  put32(out, 16, flow->source.ip);
  out[kIpv4Header] = type;
  out[kIpv4Header + 1] = code;
  put32(out, kIpv4Header + 4, rest);
  std::copy_n(about.begin(), quoted, out.begin() + kIpv4Header + 8);
  put16(out, kIpv4Header + 2, checksum(out, kIpv4Header, out.size()));
  sealIpv4Header(out);
  return out;
}

/** RFC 4443; the router's IPv6 address is 2001:db8::1. */
Packet icmp6Error(const Packet& about, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  if (about.size() < kIpv6Header) return {};
  if (about[6] == kIcmp6 && about.size() > kIpv6Header && about[kIpv6Header] < 128) return {};
  constexpr std::array<std::uint8_t, 16> router{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const std::size_t quoted = std::min(about.size(), std::size_t{1280 - kIpv6Header - 8});
  Packet out(kIpv6Header + 8 + quoted, 0);
  out[0] = 0x60;
  put16(out, 4, static_cast<std::uint16_t>(8 + quoted));
  out[6] = kIcmp6;
  out[7] = 64;
  std::copy(router.begin(), router.end(), out.begin() + 8);
  std::copy_n(about.begin() + 8, 16, out.begin() + 24);
  out[kIpv6Header] = type;
  out[kIpv6Header + 1] = code;
  put32(out, kIpv6Header + 4, rest);
  std::copy_n(about.begin(), quoted, out.begin() + kIpv6Header + 8);
  // The checksum covers a pseudo header (RFC 8200, section 8.1), which is summed by laying it before the message.
  Packet pseudo(out.begin() + 8, out.begin() + 40);
  pseudo.resize(40, 0);
  put32(pseudo, 32, static_cast<std::uint32_t>(8 + quoted));
  pseudo[39] = kIcmp6;
  pseudo.insert(pseudo.end(), out.begin() + kIpv6Header, out.end());
  put16(out, kIpv6Header + 2, checksum(pseudo, 0, pseudo.size()));
  return out;
}

}  // namespace

std::optional<Flow> readFlow(const Packet& p, std::size_t at) {
  if (p.size() < at + kIpv4Header || p[at] >> 4 != 4) return std::nullopt;
  Flow flow;
  const std::size_t header = static_cast<std::size_t>(p[at] & 0x0f) * 4;
  if (header < kIpv4Header || p.size() < at + header + 8) return std::nullopt;
  flow.l4 = at + header;
  flow.protocol = p[at + 9];
  flow.identification = get16(p, at + 4);
  const std::uint16_t fragment = get16(p, at + 6);
  flow.laterFragment = (fragment & 0x1fff) != 0;
  flow.moreFragments = (fragment & kMoreFragments) != 0;
  flow.source.ip = get32(p, at + 12);
  flow.destination.ip = get32(p, at + 16);
  if (flow.laterFragment) return flow;
  if (flow.protocol == kUdp || flow.protocol == kTcp) {
    flow.source.port = get16(p, flow.l4);
    flow.destination.port = get16(p, flow.l4 + 2);
  } else if (flow.protocol == kIcmp) {
    flow.icmpType = p[flow.l4];
    const std::uint16_t identifier = get16(p, flow.l4 + 4);
    if (flow.icmpType == 8) flow.source.port = identifier;
    else if (flow.icmpType == 0) flow.destination.port = identifier;
    flow.icmpError = flow.icmpType == 3 || flow.icmpType == 11 || flow.icmpType == 12;
  }
  return flow;
}

std::optional<std::uint8_t> protocolOf(const Packet& p) {
  if (ipVersion(p) == 4 && p.size() >= kIpv4Header) return p[9];
  if (ipVersion(p) == 6 && p.size() >= kIpv6Header) return p[6];
  return std::nullopt;
}

void rewriteSource(Packet& p, const Flow& flow, const Endpoint& to) {
  rewrite(p, 0, flow, {12, sourcePortAt(flow)}, flow.source, to);
}

void rewriteDestination(Packet& p, const Flow& flow, const Endpoint& to) {
  rewrite(p, 0, flow, {16, destinationPortAt(flow)}, flow.destination, to);
}

void rewriteQuotedSource(Packet& p, const Flow& outer, const Flow& quoted, const Endpoint& to) {
  const std::size_t at = quotedAt(outer);
  rewrite(p, at, quoted, {at + 12, sourcePortAt(quoted)}, quoted.source, to);
  sealIcmp(p, outer);
}

void rewriteQuotedDestination(Packet& p, const Flow& outer, const Flow& quoted, const Endpoint& to) {
  const std::size_t at = quotedAt(outer);
  rewrite(p, at, quoted, {at + 16, destinationPortAt(quoted)}, quoted.destination, to);
  sealIcmp(p, outer);
}

bool decrementTtl(Packet& p, int hops) {
  const bool v4 = ipVersion(p) == 4;
  const std::size_t at = v4 ? 8 : 7;
  if (p.size() <= at + 3 || p[at] <= hops) return false;
  if (v4) {
    const std::uint16_t before = get16(p, 8);
    p[8] = static_cast<std::uint8_t>(p[8] - hops);
    adjust(p, 10, before, get16(p, 8));
  } else {
    p[7] = static_cast<std::uint8_t>(p[7] - hops);
  }
  return true;
}

std::uint16_t checksum(const Packet& p, std::size_t from, std::size_t to) {
  std::uint32_t sum = 0;
  for (std::size_t at = from; at + 1 < to; at += 2) sum += get16(p, at);
  if ((to - from) % 2 == 1) sum += static_cast<std::uint32_t>(p[to - 1]) << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void sealIpv4Header(Packet& p) {
  const std::size_t header = static_cast<std::size_t>(p[0] & 0x0f) * 4;
  put16(p, 10, 0);
  put16(p, 10, checksum(p, 0, header));
}

Packet timeExceeded(const Packet& about, std::uint32_t routerAddress) {
  return ipVersion(about) == 4 ? icmp4Error(about, routerAddress, 11, 0, 0) : icmp6Error(about, 3, 0, 0);
}

Packet tooBig(const Packet& about, std::uint32_t routerAddress, std::size_t mtu) {
  const auto rest = static_cast<std::uint32_t>(mtu);
  return ipVersion(about) == 4 ? icmp4Error(about, routerAddress, 3, 4, rest) : icmp6Error(about, 2, 0, rest);
}

std::vector<Packet> fragments(const Packet& p, std::size_t mtu) {
  std::vector<Packet> out;
  const std::size_t header = static_cast<std::size_t>(p[0] & 0x0f) * 4;
  if (header < kIpv4Header || p.size() <= header || mtu < header + 8 || (get16(p, 6) & kDontFragment) != 0) return out;
  const std::size_t piece = (mtu - header) / 8 * 8;
  const std::uint16_t field = get16(p, 6);
  for (std::size_t at = header; at < p.size(); at += piece) {
    const std::size_t size = std::min(piece, p.size() - at);
    Packet fragment(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(header));
    fragment.insert(fragment.end(), p.begin() + static_cast<std::ptrdiff_t>(at), p.begin() + static_cast<std::ptrdiff_t>(at + size));
    put16(fragment, 2, static_cast<std::uint16_t>(fragment.size()));
    const bool more = at + size < p.size() || (field & kMoreFragments) != 0;
    const auto offset = static_cast<std::uint16_t>((field & 0x1fff) + (at - header) / 8);
    put16(fragment, 6, static_cast<std::uint16_t>(offset | (more ? kMoreFragments : 0)));
    sealIpv4Header(fragment);
    out.push_back(std::move(fragment));
  }
  return out;
}

std::uint32_t parseAddress(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) throw std::runtime_error("not an IPv4 address: " + text);
  return ntohl(address.s_addr);
}

std::string formatAddress(std::uint32_t ip) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += std::to_string(ip >> shift & 0xff) + (shift == 0 ? "" : ".");
  return out;
}

}  // namespace natbox
