#include "allowed_ips.h"

#include <arpa/inet.h>

#include <charconv>

namespace wg {

std::optional<Prefix> Prefix::parse(const std::string& cidr) {
  Prefix out{};
  const size_t slash = cidr.find('/');
  const std::string address = cidr.substr(0, slash);
  if (inet_pton(AF_INET, address.c_str(), out.address.data()) == 1) {
    out.v4 = true;
  } else if (inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1) {
    return std::nullopt;
  }
  const unsigned bits = out.v4 ? 32 : 128;
  unsigned length = bits;
  if (slash != std::string::npos) {
    const char* end = cidr.data() + cidr.size();
    const auto [stop, error] = std::from_chars(cidr.data() + slash + 1, end, length);
    if (error != std::errc() || stop != end || length > bits) return std::nullopt;
  }
  out.length = static_cast<uint8_t>(length);
  for (unsigned bit = length; bit < bits; bit++) out.address[bit / 8] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  return out;
}

std::optional<InnerHeader> InnerHeader::parse(ByteView packet) {
  if (packet.size() >= 20 && packet[0] >> 4 == 4) {
    const size_t length = load_be16(packet.data() + 2);
    const size_t header = static_cast<size_t>(packet[0] & 15) * 4;
    if (header < 20 || length < header || length > packet.size()) return std::nullopt;
    return InnerHeader{true, packet.subspan(12, 4), packet.subspan(16, 4), length};
  }
  if (packet.size() >= 40 && packet[0] >> 4 == 6) {
    const size_t length = size_t{load_be16(packet.data() + 4)} + 40;
    if (length > packet.size()) return std::nullopt;
    return InnerHeader{false, packet.subspan(8, 16), packet.subspan(24, 16), length};
  }
  return std::nullopt;
}

AllowedIps::Number AllowedIps::number(ByteView address) {
  if (address.size() == 4) return load_be32(address.data());
  Number out = 0;
  for (size_t i = 0; i < 16; i += 4) out = (out << 32) | load_be32(address.data() + i);
  return out;
}

AllowedIps::Number AllowedIps::mask(bool v4, uint8_t length) {
  const unsigned bits = v4 ? 32 : 128;
  if (length == 0) return 0;
  return ~Number{0} << (bits - length) & (v4 ? Number{0xffffffff} : ~Number{0});
}

void AllowedIps::insert(const Prefix& prefix, Peer* peer) {
  std::vector<Group>& groups = prefix.v4 ? v4_ : v6_;
  auto group = std::ranges::lower_bound(groups, prefix.length, std::greater{}, &Group::length);
  if (group == groups.end() || group->length != prefix.length) group = groups.insert(group, {prefix.length, {}});
  const Number network = number(ByteView(prefix.address).first(prefix.v4 ? 4 : 16));
  auto entry = std::ranges::lower_bound(group->entries, network, {}, &Entry::network);
  if (entry != group->entries.end() && entry->network == network) {
    entry->peer = peer;
  } else {
    group->entries.insert(entry, {network, peer});
  }
}

void AllowedIps::remove(const Peer* peer) {
  for (std::vector<Group>* groups : {&v4_, &v6_}) {
    for (Group& group : *groups) std::erase_if(group.entries, [peer](const Entry& entry) { return entry.peer == peer; });
    std::erase_if(*groups, [](const Group& group) { return group.entries.empty(); });
  }
}

Peer* AllowedIps::find(bool v4, ByteView address) const {
  const Number wanted = number(address);
  for (const Group& group : v4 ? v4_ : v6_) {
    const Number network = wanted & mask(v4, group.length);
    const auto entry = std::ranges::lower_bound(group.entries, network, {}, &Entry::network);
    if (entry != group.entries.end() && entry->network == network) return entry->peer;
  }
  return nullptr;
}

}  // namespace wg
