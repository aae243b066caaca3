// IP packets as games and scanners send them, for tests; checksums are not looked at and stay zero.
#pragma once

#include <string>
#include <vector>

#include "../src/noise/bytes.h"

namespace wg::test::packets {

inline constexpr Bytes<4> host{10, 0, 0, 1}, member{10, 0, 0, 2}, broadcast{10, 0, 0, 255};
inline constexpr Bytes<16> host6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline constexpr Bytes<16> member6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

using Packet = std::vector<uint8_t>;

inline Packet ipv4(uint8_t protocol, const Bytes<4>& from, const Bytes<4>& to, const Packet& payload) {
  Packet out(20 + payload.size());
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<uint16_t>(out.size()));
  out[8] = 64;
  out[9] = protocol;
  std::copy(from.begin(), from.end(), out.begin() + 12);
  std::copy(to.begin(), to.end(), out.begin() + 16);
  std::copy(payload.begin(), payload.end(), out.begin() + 20);
  return out;
}

inline Packet ipv6(uint8_t protocol, const Bytes<16>& from, const Bytes<16>& to, const Packet& payload) {
  Packet out(40 + payload.size());
  out[0] = 0x60;
  store_be16(out.data() + 4, static_cast<uint16_t>(payload.size()));
  out[6] = protocol;
  out[7] = 64;
  std::copy(from.begin(), from.end(), out.begin() + 8);
  std::copy(to.begin(), to.end(), out.begin() + 24);
  std::copy(payload.begin(), payload.end(), out.begin() + 40);
  return out;
}

inline Packet ip(uint8_t protocol, const Bytes<4>& from, const Bytes<4>& to, const Packet& payload) {
  return ipv4(protocol, from, to, payload);
}
inline Packet ip(uint8_t protocol, const Bytes<16>& from, const Bytes<16>& to, const Packet& payload) {
  return ipv6(protocol, from, to, payload);
}

template <size_t N>
Packet udp(const Bytes<N>& from, uint16_t from_port, const std::type_identity_t<Bytes<N>>& to, uint16_t to_port,
           size_t data = 0) {
  Packet payload(8 + data);
  store_be16(payload.data(), from_port);
  store_be16(payload.data() + 2, to_port);
  store_be16(payload.data() + 4, static_cast<uint16_t>(payload.size()));
  return ip(17, from, to, payload);
}

/// `flags`: letters of S A F R.
template <size_t N>
Packet tcp(const Bytes<N>& from, uint16_t from_port, const std::type_identity_t<Bytes<N>>& to, uint16_t to_port,
           const std::string& flags) {
  Packet payload(20);
  store_be16(payload.data(), from_port);
  store_be16(payload.data() + 2, to_port);
  payload[12] = 0x50;
  for (const char flag : flags) payload[13] |= flag == 'S' ? 2 : flag == 'A' ? 16 : flag == 'F' ? 1 : 4;
  return ip(6, from, to, payload);
}

template <size_t N>
Packet icmp(const Bytes<N>& from, const std::type_identity_t<Bytes<N>>& to, uint8_t type, uint16_t id,
            const Packet& quoted = {}) {
  Packet payload(8);
  payload[0] = type;
  store_be16(payload.data() + 4, id);
  // RFC 792: the header and 8 bytes of the packet that it is about.
  payload.insert(payload.end(), quoted.begin(), quoted.begin() + std::min<ptrdiff_t>(std::ssize(quoted), N == 4 ? 28 : 48));
  return ip(N == 4 ? 1 : 58, from, to, payload);
}

/// An IPv4 packet in pieces of at most 1,024 bytes.
inline std::vector<Packet> fragments(const Packet& whole, uint16_t id) {
  std::vector<Packet> out;
  for (size_t at = 20; at < whole.size(); at += 1'024) {
    const size_t end = std::min(at + 1'024, whole.size());
    Packet part(whole.begin(), whole.begin() + 20);
    part.insert(part.end(), whole.begin() + static_cast<ptrdiff_t>(at), whole.begin() + static_cast<ptrdiff_t>(end));
    store_be16(part.data() + 2, static_cast<uint16_t>(part.size()));
    store_be16(part.data() + 4, id);
    const size_t more = end < whole.size() || at == 20 ? 0x2000 : 0;
    store_be16(part.data() + 6, static_cast<uint16_t>((at - 20) / 8 | more));
    out.push_back(part);
  }
  return out;
}

/// An IPv6 packet with `count` destination options headers in front of its payload.
inline Packet extended(const Packet& whole, size_t count) {
  Packet out(whole.begin(), whole.begin() + 40);
  uint8_t next = whole[6];
  for (size_t i = 0; i < count; i++) {
    const Packet header{i + 1 == count ? next : uint8_t{60}, 0, 1, 4, 0, 0, 0, 0};
    out.insert(out.end(), header.begin(), header.end());
  }
  out[6] = 60;
  out.insert(out.end(), whole.begin() + 40, whole.end());
  store_be16(out.data() + 4, static_cast<uint16_t>(out.size() - 40));
  return out;
}

}  // namespace wg::test::packets
