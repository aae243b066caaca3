// Inner packets for tests, with true checksums, and a host that puts fragments together.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "../src/device/ip_layout.h"

namespace wg::test {

using Packet = std::vector<uint8_t>;

inline uint32_t add_words(ByteView bytes, uint32_t sum = 0) {
  for (size_t i = 0; i < bytes.size(); i++) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
  return sum;
}

inline uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/// Addresses, protocol and length as the sum of the transport checksum takes them.
inline uint32_t pseudo_header(ByteView packet, uint8_t protocol, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  return add_words(v4 ? packet.subspan(12, 8) : packet.subspan(8, 32)) + protocol + static_cast<uint32_t>(length);
}

struct V4 {
  uint8_t protocol = 17;
  uint16_t identification = 0;
  bool dont_fragment = true;
  Packet options = {};
};

inline Packet v4_packet(const Packet& payload, const V4& fields = {}) {
  const size_t header = 20 + fields.options.size();
  Packet out(header);
  out[0] = static_cast<uint8_t>(0x40 | header / 4);
  store_be16(&out[2], static_cast<uint16_t>(header + payload.size()));
  store_be16(&out[4], fields.identification);
  store_be16(&out[6], fields.dont_fragment ? 0x4000 : 0);
  out[8] = 64;
  out[9] = fields.protocol;
  const uint8_t addresses[] = {10, 0, 0, 1, 10, 0, 0, 2};
  std::copy(std::begin(addresses), std::end(addresses), out.begin() + 12);
  std::copy(fields.options.begin(), fields.options.end(), out.begin() + 20);
  store_be16(&out[10], static_cast<uint16_t>(~folded(add_words(out))));
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

/// `extensions` is a chain of headers as bytes; its own next-header bytes are right, `first` names its first one.
inline Packet v6_packet(const Packet& payload, uint8_t first = 17, const Packet& extensions = {}) {
  Packet out(40);
  out[0] = 0x60;
  store_be16(&out[4], static_cast<uint16_t>(extensions.size() + payload.size()));
  out[6] = first;
  out[7] = 64;
  out[8] = out[24] = 0xfd;
  out[23] = 1;
  out[39] = 2;
  out.insert(out.end(), extensions.begin(), extensions.end());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

inline Packet counting(size_t length) {
  Packet out(length);
  for (size_t i = 0; i < length; i++) out[i] = static_cast<uint8_t>(i * 7 + i / 256);
  return out;
}

/// What a receiving host makes of fragments, in any order: the payload of the one datagram, or nothing when they do not make
/// one whole (a gap, an overlap, headers that do not belong together, a wrong checksum).
inline std::optional<Packet> reassembled(const std::vector<Packet>& fragments) {
  std::map<size_t, Packet> pieces;
  std::optional<size_t> end;
  std::optional<uint32_t> identification;
  for (const Packet& fragment : fragments) {
    const bool v4 = fragment[0] >> 4 == 4;
    size_t header, offset;
    uint32_t own;
    bool more;
    if (v4) {
      header = static_cast<size_t>(fragment[0] & 15) * 4;
      if (folded(add_words(ByteView(fragment).first(header))) != 0xffff) return std::nullopt;
      if (load_be16(&fragment[2]) != fragment.size()) return std::nullopt;
      const uint16_t field = load_be16(&fragment[6]);
      if (field & 0x4000) return std::nullopt;
      offset = size_t{static_cast<uint16_t>(field & 0x1fff)} * 8;
      more = field & 0x2000;
      own = load_be16(&fragment[4]);
    } else {
      const auto layout = V6Layout::parse(fragment);
      if (!layout || layout->upper_protocol != ip::fragment) return std::nullopt;
      if (size_t{load_be16(&fragment[4])} + 40 != fragment.size()) return std::nullopt;
      header = layout->upper_at + 8;
      offset = load_be16(&fragment[layout->upper_at + 2]) & ~7u;
      more = fragment[layout->upper_at + 3] & 1;
      own = load_be32(&fragment[layout->upper_at + 4]);
    }
    if (identification && *identification != own) return std::nullopt;
    identification = own;
    if (more && (fragment.size() - header) % 8 != 0) return std::nullopt;
    if (!more) end = offset + fragment.size() - header;
    pieces[offset] = Packet(fragment.begin() + static_cast<ptrdiff_t>(header), fragment.end());
  }
  Packet out;
  for (const auto& [offset, piece] : pieces) {
    if (offset != out.size()) return std::nullopt;
    out.insert(out.end(), piece.begin(), piece.end());
  }
  if (!end || *end != out.size()) return std::nullopt;
  return out;
}

}  // namespace wg::test
