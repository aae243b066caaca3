#if defined(__linux__)
#include "linux_prefix.h"

#include <arpa/inet.h>

#include <algorithm>

namespace wg::tun {
namespace {

bool bit(const std::array<uint8_t, 16>& bytes, unsigned index) {
  return (bytes[index / 8] >> (7 - index % 8)) & 1;
}

/// Whether all bits from the prefix length to the end of the address equal `value`.
bool host_bits_are(const Prefix& prefix, bool value) {
  for (unsigned i = prefix.length; i < prefix.size() * 8u; ++i) {
    if (bit(prefix.bytes, i) != value) return false;
  }
  return true;
}

std::optional<uint8_t> parse_length(const std::string& text, unsigned max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > max) return std::nullopt;
  return static_cast<uint8_t>(value);
}

}  // namespace

bool Prefix::within(const Prefix& network) const {
  if (family != network.family || length < network.length) return false;
  for (unsigned i = 0; i < network.length; ++i) {
    if (bit(bytes, i) != bit(network.bytes, i)) return false;
  }
  return true;
}

bool Prefix::is_network() const { return host_bits_are(*this, false); }

bool Prefix::is_directed_broadcast() const { return host_bits_are(*this, true); }

std::optional<Prefix> parse_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || text.find('\0') != std::string::npos) return std::nullopt;
  const std::string address = text.substr(0, slash);
  Prefix prefix;
  prefix.family = address.find(':') == std::string::npos ? 4 : 6;
  if (inet_pton(prefix.family == 4 ? AF_INET : AF_INET6, address.c_str(), prefix.bytes.data()) != 1) {
    return std::nullopt;
  }
  const auto length = parse_length(text.substr(slash + 1), prefix.size() * 8u);
  if (!length) return std::nullopt;
  prefix.length = *length;
  return prefix;
}

bool is_well_formed(const Prefix& prefix) {
  if (prefix.family != 4 && prefix.family != 6) return false;
  if (prefix.length > prefix.size() * 8) return false;
  return std::all_of(prefix.bytes.begin() + prefix.size(), prefix.bytes.end(), [](uint8_t b) { return b == 0; });
}

}  // namespace wg::tun
#endif
