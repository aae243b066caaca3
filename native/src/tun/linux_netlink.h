// As much of rtnetlink(7) as a TUN interface needs: set the link up, replace its addresses, replace its routes.
#pragma once

#include <cstdint>
#include <vector>

#include "linux_fd.h"
#include "linux_prefix.h"
#include "linux_status.h"

namespace wg::tun {

class NetlinkMessage;

/// One NETLINK_ROUTE socket; every call sends a request and waits for the kernel's answer.
class Netlink {
 public:
  Status open();

  /// MTU, transmit queue length (packets) and the most packets that a frame of segmentation offload may become; no link-local
  /// address is generated for the interface.
  Status set_link(int ifindex, uint32_t mtu, uint32_t tx_queue_length, uint32_t frame_segments);
  Status set_up(int ifindex);
  /// Afterwards the interface has exactly these addresses; those it had already are left untouched.
  Status replace_addresses(int ifindex, const std::vector<Prefix>& wanted);
  /// Afterwards the main table has exactly these routes on the interface, beside what the kernel derives.
  Status replace_routes(int ifindex, const std::vector<Prefix>& wanted);

 private:
  Status transact(NetlinkMessage& message, const char* step);
  /// Calls `visit(payload, size)` for each object of the kernel's answer to a dump request.
  template <typename Visit>
  Status dump(NetlinkMessage& message, const char* step, Visit visit);
  Status list_addresses(int ifindex, std::vector<Prefix>& found);
  Status list_routes(int ifindex, std::vector<Prefix>& found);
  Status change_address(uint16_t type, uint16_t flags, int ifindex, const Prefix& prefix);
  Status change_route(uint16_t type, uint16_t flags, int ifindex, const Prefix& prefix);
  Status disable_link_local(int ifindex);

  Fd socket_;
  uint32_t sequence_ = 0;
};

}  // namespace wg::tun
