#include "policy.h"

#include <algorithm>
#include <string_view>

namespace warren::helper {
namespace {

using wg::tun::Prefix;

constexpr Prefix rooms_v4{4, 10, {10, 64}};
constexpr Prefix rooms_v6{6, 8, {0xfd}};
constexpr Prefix multicast_v4{4, 4, {224}};
constexpr Prefix limited_broadcast{4, 32, {255, 255, 255, 255}};
constexpr uint8_t room_bits_v4 = 20;
constexpr uint8_t room_bits_v6 = 64;

bool is_room(const Prefix& prefix) {
  return (prefix.within(rooms_v4) && prefix.length == room_bits_v4) ||
         (prefix.within(rooms_v6) && prefix.length == room_bits_v6);
}

bool is_member(const Prefix& prefix) {
  return (prefix.within(rooms_v4) && prefix.length == 32) || (prefix.within(rooms_v6) && prefix.length == 128);
}

}  // namespace

bool permits_name(const std::string& name) {
  constexpr std::string_view stem = "warren";
  if (name.empty()) return true;
  if (!std::string_view(name).starts_with(stem) || name.size() > stem.size() + 2) return false;
  return std::all_of(name.begin() + stem.size(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool permits_address(const Prefix& address) {
  if (is_member(address)) return true;
  if (!is_room(address) || address.is_network()) return false;
  return address.family == 6 || !address.is_directed_broadcast();
}

bool permits_route(const Prefix& route) {
  if (!route.is_network()) return false;
  return is_room(route) || is_member(route) || route == limited_broadcast || route.within(multicast_v4);
}

bool permits(const wg::tun::Request& request) {
  if (const auto* open = std::get_if<wg::tun::OpenRequest>(&request)) return permits_name(open->name);
  // It asks for nothing that could be more than what it is.
  if (std::holds_alternative<wg::tun::CaptureRequest>(request)) return true;
  const auto& configure = std::get<wg::tun::ConfigureRequest>(request);
  return std::all_of(configure.addresses.begin(), configure.addresses.end(), permits_address) &&
         std::all_of(configure.routes.begin(), configure.routes.end(), permits_route);
}

}  // namespace warren::helper
