// The protocol between a process and its TUN helper: one datagram a request, one a reply, over a SOCK_SEQPACKET pair.
//
//   open       [1][1][mtu: 2, little-endian][name length: 1][name]
//   configure  [1][2][addresses: 1][routes: 1] then for each [family: 4 or 6][length][address: 16]
//   capture    [1][3]
//   reply      [1][code][errno: 4, little-endian][mtu: 2][name length: 1][name], with the TUN by SCM_RIGHTS after open, and
//              after capture with a SOCK_SEQPACKET socket that brings this host's broadcasts, one IP packet a datagram
//
// Exactly these bytes and no more; everything else is malformed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "linux_prefix.h"
#include "linux_status.h"

namespace wg::tun {

inline constexpr size_t max_addresses = 8;
inline constexpr size_t max_routes = 255;
inline constexpr size_t max_name_bytes = 15;
inline constexpr size_t prefix_bytes = 18;
inline constexpr size_t max_request_bytes = 4 + (max_addresses + max_routes) * prefix_bytes;
inline constexpr size_t max_reply_bytes = 9 + max_name_bytes;

struct OpenRequest {
  std::string name;  // empty: the first free one
  uint16_t mtu = 0;
  bool operator==(const OpenRequest&) const = default;
};

struct ConfigureRequest {
  std::vector<Prefix> addresses;
  std::vector<Prefix> routes;
  bool operator==(const ConfigureRequest&) const = default;
};

struct CaptureRequest {
  bool operator==(const CaptureRequest&) const = default;
};

using Request = std::variant<OpenRequest, ConfigureRequest, CaptureRequest>;

struct Reply {
  Code code = Code::ok;
  int32_t sys = 0;
  uint16_t mtu = 0;
  std::string name;
  bool operator==(const Reply&) const = default;
};

/// Nothing when the request does not fit the limits above.
std::optional<std::vector<uint8_t>> encode_request(const Request& request);
std::vector<uint8_t> encode_reply(const Reply& reply);
/// Nothing when the bytes are not exactly one well-formed request; prefixes are well formed, not yet permitted.
std::optional<Request> decode_request(std::span<const uint8_t> bytes);
std::optional<Reply> decode_reply(std::span<const uint8_t> bytes);

}  // namespace wg::tun
