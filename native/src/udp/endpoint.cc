#include "endpoint.h"

#include <arpa/inet.h>

#include <charconv>

namespace wg {

std::optional<Endpoint> Endpoint::parse(const std::string& ip, uint16_t port) {
  Endpoint out;
  if (inet_pton(AF_INET, ip.c_str(), &out.address_.v4.sin_addr) == 1) {
    out.address_.v4.sin_family = AF_INET;
    out.address_.v4.sin_port = htons(port);
    return out;
  }
  const size_t percent = ip.find('%');
  if (inet_pton(AF_INET6, ip.substr(0, percent).c_str(), &out.address_.v6.sin6_addr) != 1) return std::nullopt;
  out.address_.v6.sin6_family = AF_INET6;
  out.address_.v6.sin6_port = htons(port);
  if (percent != std::string::npos) {
    const char* begin = ip.data() + percent + 1;
    const char* end = ip.data() + ip.size();
    const auto [stop, error] = std::from_chars(begin, end, out.address_.v6.sin6_scope_id);
    if (error != std::errc() || stop != end) return std::nullopt;
  }
  return out;
}

std::optional<Endpoint> Endpoint::from(const sockaddr_storage& address) {
  Endpoint out;
  if (address.ss_family == AF_INET) {
    std::memcpy(&out.address_.v4, &address, sizeof out.address_.v4);
  } else if (address.ss_family == AF_INET6) {
    std::memcpy(&out.address_.v6, &address, sizeof out.address_.v6);
  } else {
    return std::nullopt;
  }
  return out;
}

Endpoint Endpoint::any(int family, uint16_t port) {
  Endpoint out;
  if (family == AF_INET) {
    out.address_.v4.sin_family = AF_INET;
    out.address_.v4.sin_port = htons(port);
  } else {
    out.address_.v6.sin6_family = AF_INET6;
    out.address_.v6.sin6_port = htons(port);
  }
  return out;
}

uint16_t Endpoint::port() const { return ntohs(is_v4() ? address_.v4.sin_port : address_.v6.sin6_port); }

std::string Endpoint::ip() const {
  char text[INET6_ADDRSTRLEN];
  const void* bytes = address().data();
  if (!inet_ntop(family(), bytes, text, sizeof text)) return {};
  std::string out = text;
  if (!is_v4() && address_.v6.sin6_scope_id != 0) out += "%" + std::to_string(address_.v6.sin6_scope_id);
  return out;
}

ByteView Endpoint::address() const {
  if (is_v4()) return {reinterpret_cast<const uint8_t*>(&address_.v4.sin_addr), 4};
  return {reinterpret_cast<const uint8_t*>(&address_.v6.sin6_addr), 16};
}

Bytes<18> Endpoint::identity() const {
  Bytes<18> out{};
  copy_bytes(address(), out.data());
  store_be16(out.data() + 16, port());
  return out;
}

uint64_t Endpoint::source() const {
  const ByteView bytes = address();
  return is_v4() ? load_be32(bytes.data()) : load_le64(bytes.data());
}

bool Endpoint::operator==(const Endpoint& other) const {
  return family() == other.family() && port() == other.port() && std::ranges::equal(address(), other.address()) &&
         (is_v4() || address_.v6.sin6_scope_id == other.address_.v6.sin6_scope_id);
}

}  // namespace wg
