#include "classify.h"

#include <optional>

namespace wg::queue {
namespace {

constexpr uint8_t tcp = 6, udp = 17, fragment_header = 44;

// What the header says, whichever version.
struct Facts {
  uint8_t code_point, protocol;
  bool fragment;
  ByteView addresses, ports;  // no ports: a fragment, or a protocol without
};

ByteView ports_at(ByteView packet, size_t offset, uint8_t protocol) {
  const bool has = (protocol == tcp || protocol == udp) && packet.size() >= offset + 4;
  return has ? packet.subspan(offset, 4) : ByteView();
}

// RFC 791. A header of less than 20 bytes is nobody's: the addresses are then of no meaning, but inside the packet.
Facts facts_v4(ByteView packet) {
  const bool fragment = (load_be16(&packet[6]) & 0x3fff) != 0;
  const size_t header = size_t{packet[0] & 0x0fu} * 4;
  return {static_cast<uint8_t>(packet[1] >> 2), packet[9], fragment, packet.subspan(12, 8),
          fragment ? ByteView() : ports_at(packet, header, packet[9])};
}

// RFC 8200. Extension headers are rare and end the search for ports; a fragment header is one of them.
Facts facts_v6(ByteView packet) {
  const auto code_point = static_cast<uint8_t>((load_be16(&packet[0]) >> 6) & 0x3f);
  return {code_point, packet[6], packet[6] == fragment_header, packet.subspan(8, 32), ports_at(packet, 40, packet[6])};
}

// Nothing for what is no packet.
std::optional<Facts> facts_of(ByteView packet) {
  const uint8_t version = packet.empty() ? 0 : packet[0] >> 4;
  if (version == 4 && packet.size() >= 20) return facts_v4(packet);
  if (version == 6 && packet.size() >= 40) return facts_v6(packet);
  return std::nullopt;
}

uint64_t hash(const Facts& facts, uint64_t seed) {
  uint64_t out = mix(seed, facts.protocol);
  for (size_t i = 0; i < facts.addresses.size(); i += 4) out = mix(out, load_le32(&facts.addresses[i]));
  return facts.ports.empty() ? out : mix(out, load_le32(facts.ports.data()));
}

}  // namespace

Class classify(ByteView packet, bool segmented, uint64_t seed) {
  const auto facts = facts_of(packet);
  if (!facts) return {Lane::bulk, seed};
  // All fragments of a marked packet are marked; of the others the last one is short, and must not overtake the first.
  const bool small = packet.size() < small_packet && !facts->fragment;
  const bool express = !segmented && (small || facts->code_point >= express_code_point);
  return {express ? Lane::express : Lane::bulk, hash(*facts, seed)};
}

bool keeps_order(ByteView packet) {
  const auto facts = facts_of(packet);
  if (!facts) return false;
  if (facts->fragment) return true;
  const size_t header = packet[0] >> 4 == 4 ? size_t{packet[0] & 0x0fu} * 4 : 40;
  if (facts->protocol != tcp || packet.size() < header + 20) return false;
  return packet.size() > header + (size_t{packet[header + 12]} >> 4) * 4;
}

bool is_play(ByteView packet) {
  if (packet.size() >= small_packet) return false;
  const auto facts = facts_of(packet);
  return facts && facts->protocol == udp;
}

}  // namespace wg::queue
