#if defined(__linux__)
#include "tun_session.h"

#include "linux_packet_socket.h"

namespace wg::tun {
namespace {

/// Games work without it, at the price of a route: a process that may not is no error.
Fd own_capture() {
  Fd socket;
  if (!open_packet_socket(socket).ok() || !start_capture(socket.get()).ok()) return {};
  return socket;
}

/// False when one of the texts is no prefix.
bool parse_all(const std::vector<std::string>& texts, std::vector<Prefix>& prefixes) {
  for (const std::string& text : texts) {
    const auto prefix = parse_prefix(text);
    if (!prefix) return false;
    prefixes.push_back(*prefix);
  }
  return true;
}

}  // namespace

Status TunSession::open(const std::string& name, uint32_t mtu, const std::string& helper_path) {
  const std::lock_guard lock(mutex_);
  Fd device;
  Status status = open_clone_device(device);
  if (status.ok()) status = create_tun(device, name, mtu, tun_);
  if (status.ok()) capture_ = own_capture();
  if (status.code != Code::no_rights || helper_path.empty()) return status;

  status = helper_.start(helper_path);
  if (status.ok()) status = helper_.open_tun(name, mtu, tun_);
  has_helper_ = status.ok();
  if (has_helper_) {
    helper_.capture(capture_);
  } else {
    helper_.close();
  }
  return status;
}

Status TunSession::configure(const std::vector<std::string>& addresses, const std::vector<std::string>& routes) {
  const std::lock_guard lock(mutex_);
  if (!tun_.fd.valid()) return {Code::closed, 0, "configure"};
  std::vector<Prefix> address_list;
  std::vector<Prefix> route_list;
  if (!parse_all(addresses, address_list) || !parse_all(routes, route_list)) return {Code::invalid, 0, "prefix"};
  return has_helper_ ? helper_.configure(address_list, route_list)
                     : configure_tun(tun_.ifindex, address_list, route_list);
}

void TunSession::close() {
  const std::lock_guard lock(mutex_);
  tun_.fd.reset();
  capture_.reset();
  helper_.close();
}

}  // namespace wg::tun
#endif
