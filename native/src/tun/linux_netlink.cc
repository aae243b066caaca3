#if defined(__linux__)
#include "linux_netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace wg::tun {

/// A request under construction: header, family header, attributes, each aligned to 4 bytes.
class NetlinkMessage {
 public:
  template <typename Family>
  NetlinkMessage(uint16_t type, uint16_t flags, const Family& family) {
    auto& head = header();
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    head.nlmsg_len = NLMSG_LENGTH(0);
    append(&family, sizeof family);
  }

  void attribute(uint16_t type, const void* data, size_t size) {
    const rtattr head{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    append(&head, sizeof head);
    append(data, size);
  }
  void attribute(uint16_t type, uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute(uint16_t type, const Prefix& prefix) { attribute(type, prefix.bytes.data(), prefix.size()); }

  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

 private:
  void append(const void* data, size_t size) {
    auto& head = header();
    std::memcpy(bytes_.data() + head.nlmsg_len, data, size);
    head.nlmsg_len += static_cast<uint32_t>(NLMSG_ALIGN(size));
  }

  // The largest request here is a route: 16 + 12 + 3 attributes of at most 20 bytes.
  alignas(nlmsghdr) std::array<unsigned char, 256> bytes_{};
};

namespace {

constexpr size_t answer_bytes = 32768;  // the kernel's own bound for one datagram of a dump

unsigned char af(const Prefix& prefix) { return prefix.family == 4 ? AF_INET : AF_INET6; }

bool contains(const std::vector<Prefix>& list, const Prefix& prefix) {
  return std::find(list.begin(), list.end(), prefix) != list.end();
}

/// The attribute `type` behind a family header of `head` bytes; null when absent.
const rtattr* find_attribute(const unsigned char* payload, size_t size, size_t head, uint16_t type) {
  size_t offset = NLMSG_ALIGN(head);
  while (offset + sizeof(rtattr) <= size) {
    const auto* attribute = reinterpret_cast<const rtattr*>(payload + offset);
    if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > size - offset) return nullptr;
    if (attribute->rta_type == type) return attribute;
    offset += RTA_ALIGN(attribute->rta_len);
  }
  return nullptr;
}

uint32_t number(const rtattr* attribute) {
  uint32_t value = 0;
  if (attribute && RTA_PAYLOAD(attribute) >= sizeof value) std::memcpy(&value, RTA_DATA(attribute), sizeof value);
  return value;
}

/// A prefix from an address attribute (absent: all zero, as in a default route).
Prefix read_prefix(unsigned char family, unsigned char length, const rtattr* attribute) {
  Prefix prefix;
  prefix.family = family == AF_INET ? 4 : 6;
  prefix.length = length;
  if (attribute) {
    std::memcpy(prefix.bytes.data(), RTA_DATA(attribute), std::min<size_t>(prefix.size(), RTA_PAYLOAD(attribute)));
  }
  return prefix;
}

}  // namespace

Status Netlink::open() {
  socket_ = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket_.valid()) return from_errno(errno, "netlink socket");
  return {};
}

template <typename Visit>
Status Netlink::dump(NetlinkMessage& message, const char* step, Visit visit) {
  auto& request = message.header();
  request.nlmsg_seq = ++sequence_;
  if (::send(socket_.get(), &request, request.nlmsg_len, 0) < 0) return from_errno(errno, step);
  std::vector<unsigned char> answer(answer_bytes);
  for (;;) {
    const ssize_t received = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return from_errno(errno, step);
    int rest = static_cast<int>(received);
    for (auto* head = reinterpret_cast<nlmsghdr*>(answer.data()); NLMSG_OK(head, static_cast<unsigned>(rest));
         head = NLMSG_NEXT(head, rest)) {
      if (head->nlmsg_seq != sequence_) continue;
      if (head->nlmsg_type == NLMSG_DONE) return {};
      if (head->nlmsg_type == NLMSG_ERROR) {
        const int error = static_cast<nlmsgerr*>(NLMSG_DATA(head))->error;
        return error == 0 ? Status{} : from_errno(-error, step);
      }
      visit(static_cast<const unsigned char*>(NLMSG_DATA(head)), static_cast<size_t>(NLMSG_PAYLOAD(head, 0)));
    }
  }
}

Status Netlink::transact(NetlinkMessage& message, const char* step) {
  message.header().nlmsg_flags |= NLM_F_ACK;
  return dump(message, step, [](const unsigned char*, size_t) {});
}

Status Netlink::set_link(int ifindex, uint32_t mtu, uint32_t tx_queue_length, uint32_t frame_segments) {
  ifinfomsg link{};
  link.ifi_index = ifindex;
  NetlinkMessage message(RTM_NEWLINK, 0, link);
  message.attribute(IFLA_MTU, mtu);
  message.attribute(IFLA_TXQLEN, tx_queue_length);
  message.attribute(IFLA_GSO_MAX_SEGS, frame_segments);  // before Linux 4.16 without effect
  const Status status = transact(message, "set link");
  return status.ok() ? disable_link_local(ifindex) : status;
}

Status Netlink::disable_link_local(int ifindex) {
  // IFLA_AF_SPEC { AF_INET6 { IFLA_INET6_ADDR_GEN_MODE } }: a link-local address would announce itself by multicast.
  const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  struct {
    rtattr family{RTA_LENGTH(RTA_LENGTH(1)), AF_INET6};
    rtattr attribute{RTA_LENGTH(1), IFLA_INET6_ADDR_GEN_MODE};
    uint8_t mode;
    uint8_t padding[3];
  } nested{.mode = mode, .padding = {}};
  ifinfomsg link{};
  link.ifi_index = ifindex;
  NetlinkMessage message(RTM_NEWLINK, 0, link);
  message.attribute(IFLA_AF_SPEC, &nested, sizeof nested);
  const Status status = transact(message, "addrgenmode");
  return status.sys == EAFNOSUPPORT ? Status{} : status;  // a host without IPv6 generates nothing anyway
}

Status Netlink::set_up(int ifindex) {
  ifinfomsg link{};
  link.ifi_index = ifindex;
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  NetlinkMessage message(RTM_NEWLINK, 0, link);
  return transact(message, "set up");
}

Status Netlink::list_addresses(int ifindex, std::vector<Prefix>& found) {
  NetlinkMessage message(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
  return dump(message, "list addresses", [&](const unsigned char* payload, size_t size) {
    ifaddrmsg head;
    if (size < sizeof head) return;
    std::memcpy(&head, payload, sizeof head);
    if (head.ifa_index != static_cast<unsigned>(ifindex)) return;
    if (head.ifa_family != AF_INET && head.ifa_family != AF_INET6) return;
    const auto* local = find_attribute(payload, size, sizeof head, IFA_LOCAL);
    if (!local) local = find_attribute(payload, size, sizeof head, IFA_ADDRESS);
    found.push_back(read_prefix(head.ifa_family, head.ifa_prefixlen, local));
  });
}

Status Netlink::change_address(uint16_t type, uint16_t flags, int ifindex, const Prefix& prefix) {
  ifaddrmsg head{};
  head.ifa_family = af(prefix);
  head.ifa_prefixlen = prefix.length;
  // Duplicate address detection has nobody to ask here and would hold the address back for a second.
  head.ifa_flags = prefix.family == 6 ? IFA_F_NODAD : 0;
  head.ifa_index = static_cast<unsigned>(ifindex);
  NetlinkMessage message(type, flags, head);
  message.attribute(IFA_LOCAL, prefix);
  message.attribute(IFA_ADDRESS, prefix);
  return transact(message, type == RTM_NEWADDR ? "add address" : "delete address");
}

Status Netlink::replace_addresses(int ifindex, const std::vector<Prefix>& wanted) {
  std::vector<Prefix> present;
  Status status = list_addresses(ifindex, present);
  if (!status.ok()) return status;
  for (const Prefix& prefix : present) {
    if (contains(wanted, prefix)) continue;
    status = change_address(RTM_DELADDR, 0, ifindex, prefix);
    // A primary IPv4 address takes the secondary ones of its subnet with it.
    if (!status.ok() && status.sys != EADDRNOTAVAIL) return status;
  }
  for (const Prefix& prefix : wanted) {
    status = change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, prefix);
    if (!status.ok()) return status;
  }
  return {};
}

Status Netlink::list_routes(int ifindex, std::vector<Prefix>& found) {
  NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP, rtmsg{});
  return dump(message, "list routes", [&](const unsigned char* payload, size_t size) {
    rtmsg head;
    if (size < sizeof head) return;
    std::memcpy(&head, payload, sizeof head);
    if (head.rtm_table != RT_TABLE_MAIN || head.rtm_protocol == RTPROT_KERNEL) return;
    if (head.rtm_family != AF_INET && head.rtm_family != AF_INET6) return;
    if (number(find_attribute(payload, size, sizeof head, RTA_OIF)) != static_cast<uint32_t>(ifindex)) return;
    found.push_back(
        read_prefix(head.rtm_family, head.rtm_dst_len, find_attribute(payload, size, sizeof head, RTA_DST)));
  });
}

Status Netlink::change_route(uint16_t type, uint16_t flags, int ifindex, const Prefix& prefix) {
  const bool adding = type == RTM_NEWROUTE;
  rtmsg head{};
  head.rtm_family = af(prefix);
  head.rtm_dst_len = prefix.length;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = adding ? RTPROT_STATIC : RTPROT_UNSPEC;
  head.rtm_scope = adding ? RT_SCOPE_LINK : RT_SCOPE_NOWHERE;
  head.rtm_type = adding ? RTN_UNICAST : RTN_UNSPEC;
  NetlinkMessage message(type, flags, head);
  message.attribute(RTA_DST, prefix);
  message.attribute(RTA_OIF, static_cast<uint32_t>(ifindex));
  return transact(message, adding ? "add route" : "delete route");
}

Status Netlink::replace_routes(int ifindex, const std::vector<Prefix>& wanted) {
  std::vector<Prefix> present;
  Status status = list_routes(ifindex, present);
  if (!status.ok()) return status;
  for (const Prefix& prefix : present) {
    if (contains(wanted, prefix)) continue;
    status = change_route(RTM_DELROUTE, 0, ifindex, prefix);
    if (!status.ok() && status.sys != ESRCH) return status;
  }
  for (const Prefix& prefix : wanted) {
    if (contains(present, prefix)) continue;
    // Not NLM_F_REPLACE: it would take the same prefix away from another interface. CREATE alone puts ours before it.
    status = change_route(RTM_NEWROUTE, NLM_F_CREATE, ifindex, prefix);
    if (!status.ok() && status.sys != EEXIST) return status;
  }
  return {};
}

}  // namespace wg::tun
#endif
