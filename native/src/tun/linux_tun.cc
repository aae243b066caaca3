#if defined(__linux__)
#include "linux_tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "linux_netlink.h"

namespace wg::tun {
namespace {

// Packets come and go behind virtio's header; whoever reads asks the kernel for the offloads.
constexpr short tun_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | static_cast<short>(IFF_TUN_EXCL);

// Packets of a frame of segmentation offload: as many as leave in one send once they are sealed, which may be as long as one
// UDP datagram. What is left of a longer frame would be a send, a wake, a read and a write of its own.
constexpr uint32_t frame_segments(uint32_t mtu) {
  constexpr uint32_t longest_datagram = 65'507, wireguard = 32, most = 64;
  return std::min(most, longest_datagram / (mtu + wireguard));
}

/// TUNSETIFF under one name; a taken name is EBUSY because of IFF_TUN_EXCL.
Status set_interface(int device, const std::string& name) {
  ifreq request{};
  request.ifr_flags = tun_flags;
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (::ioctl(device, TUNSETIFF, &request) == 0) return {};
  if (errno == EBUSY) return {Code::name_taken, errno, "TUNSETIFF"};
  return from_errno(errno, "TUNSETIFF");
}

Status take_free_name(int device, std::string& name) {
  Status status;
  for (int i = 0; i < numbered_names; ++i) {
    name = "warren" + std::to_string(i);
    status = set_interface(device, name);
    if (status.code != Code::name_taken) return status;
  }
  return status;
}

}  // namespace

bool is_interface_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  // The kernel refuses '/', ':' and white space; '%' would make it a pattern.
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < 127 && c != '/' && c != ':' && c != '%'; });
}

Status open_clone_device(Fd& device) {
  device = Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (device.valid()) return {};
  // Here ENODEV means a kernel without the driver, not an interface that went away.
  const int sys = errno;
  return sys == ENODEV ? Status{Code::unsupported, sys, "/dev/net/tun"} : from_errno(sys, "/dev/net/tun");
}

Status create_tun(Fd& device, const std::string& name, uint32_t mtu, Tun& tun) {
  if (mtu < min_mtu || mtu > max_mtu) return {Code::invalid, 0, "mtu"};
  if (!name.empty() && !is_interface_name(name)) return {Code::invalid, 0, "name"};
  std::string chosen = name;
  Status status = name.empty() ? take_free_name(device.get(), chosen) : set_interface(device.get(), chosen);
  if (!status.ok()) return status;

  Tun made;
  made.fd = std::move(device);
  made.name = chosen;
  made.mtu = mtu;
  made.ifindex = static_cast<int>(::if_nametoindex(chosen.c_str()));
  if (made.ifindex == 0) return from_errno(errno, "if_nametoindex");
  Netlink netlink;
  status = netlink.open();
  if (status.ok()) status = netlink.set_link(made.ifindex, mtu, tx_queue_length, frame_segments(mtu));
  if (status.ok()) tun = std::move(made);
  return status;
}

Status configure_tun(int ifindex, const std::vector<Prefix>& addresses, const std::vector<Prefix>& routes) {
  Netlink netlink;
  Status status = netlink.open();
  if (status.ok()) status = netlink.replace_addresses(ifindex, addresses);
  // Routes need a link that is up.
  if (status.ok()) status = netlink.set_up(ifindex);
  if (status.ok()) status = netlink.replace_routes(ifindex, routes);
  return status;
}

}  // namespace wg::tun
#endif
