// A Linux TUN interface: opened here, in the process itself or in the privileged helper, and configured by netlink.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linux_fd.h"
#include "linux_prefix.h"
#include "linux_status.h"

namespace wg::tun {

inline constexpr uint32_t min_mtu = 1280;  // IPv6's smallest link (RFC 8200, section 5)
inline constexpr uint32_t max_mtu = 9000;
// Tuning: the burst of a sender that this queue does not slow down, until the device drains it into queues of its own. With 16,
// what came while the device did not run was lost; with 500, a flood cost the device more to drop than the kernel, and half as
// many datagrams arrived.
inline constexpr uint32_t tx_queue_length = 128;
inline constexpr int numbered_names = 100;  // warren0 to warren99

/// An interface of ours. It is not persistent: device, addresses and routes go when the last copy of `fd` closes.
struct Tun {
  Fd fd;  // non-blocking, close-on-exec
  std::string name;
  uint32_t mtu = 0;
  int ifindex = 0;
};

/// Whether the kernel takes this as the name of an interface.
bool is_interface_name(const std::string& name);

/// Opens the clone device; needs no right beyond those of its file.
Status open_clone_device(Fd& device);

/// Turns an open clone device into an interface. An empty name takes the first free of warren0 to warren99; a given one
/// that exists is `name_taken`, and `device` stays usable for another try. Needs CAP_NET_ADMIN.
Status create_tun(Fd& device, const std::string& name, uint32_t mtu, Tun& tun);

/// Replaces addresses and routes and brings the interface up. Needs CAP_NET_ADMIN.
Status configure_tun(int ifindex, const std::vector<Prefix>& addresses, const std::vector<Prefix>& routes);

}  // namespace wg::tun
