// A UDP address of either family.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "../noise/bytes.h"

namespace wg {

class Endpoint {
 public:
  Endpoint() : address_{} {}
  /// `ip` as in the contract: no brackets, a numeric scope behind `%` for IPv6. Nothing when it is not an address.
  static std::optional<Endpoint> parse(const std::string& ip, uint16_t port);
  /// The kernel's form; nothing for other families.
  static std::optional<Endpoint> from(const sockaddr_storage& address);
  static Endpoint any(int family, uint16_t port);

  int family() const { return address_.any.sa_family; }  // AF_INET, AF_INET6 or AF_UNSPEC
  bool is_v4() const { return family() == AF_INET; }
  uint16_t port() const;
  std::string ip() const;
  /// 4 or 16 bytes.
  ByteView address() const;

  const sockaddr* raw() const { return &address_.any; }
  sockaddr* raw() { return &address_.any; }
  socklen_t raw_size() const { return is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  static constexpr socklen_t raw_capacity() { return sizeof(sockaddr_in6); }

  /// What a cookie is bound to: address and port, 18 bytes.
  Bytes<18> identity() const;
  /// The IPv4 address or the IPv6 /64: what one rate limit counts as one source.
  uint64_t source() const;

  bool operator==(const Endpoint& other) const;

 private:
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } address_;
};

}  // namespace wg
