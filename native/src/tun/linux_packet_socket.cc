#include "linux_packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace wg::tun {
namespace {

constexpr uint32_t ancillary(uint32_t what) { return static_cast<uint32_t>(SKF_AD_OFF) + what; }
constexpr uint32_t in_ip_header(uint32_t offset) { return static_cast<uint32_t>(SKF_NET_OFF) + offset; }
constexpr uint32_t in_link_header(uint32_t offset) { return static_cast<uint32_t>(SKF_LL_OFF) + offset; }

constexpr sock_filter load(uint16_t size, uint32_t from) { return {static_cast<uint16_t>(BPF_LD | BPF_ABS | size), 0, 0, from}; }
/// Jumps are counted from the next instruction.
constexpr sock_filter equals(uint32_t value, uint8_t then, uint8_t otherwise) {
  return {BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value};
}
constexpr sock_filter take(uint32_t bytes) { return {BPF_RET | BPF_K, 0, 0, bytes}; }

/// Tuning: a flood of a few thousand broadcasts is read and counted whole, and hides no other program's.
constexpr int receive_buffer = 4 << 20;

constexpr uint32_t ip_protocol_at = 9, ip_destination_at = 16;

// A directed broadcast is told by the link's destination: the prefixes of interfaces change, the filter may not.
sock_filter own_broadcasts[] = {
    load(BPF_W, ancillary(SKF_AD_PKTTYPE)),       equals(PACKET_OUTGOING, 0, 13),
    load(BPF_W, ancillary(SKF_AD_PROTOCOL)),      equals(ETH_P_IP, 0, 11),
    load(BPF_B, in_ip_header(ip_protocol_at)),    equals(IPPROTO_UDP, 0, 9),
    load(BPF_W, in_ip_header(ip_destination_at)), equals(INADDR_BROADCAST, 6, 0),
    load(BPF_W, ancillary(SKF_AD_HATYPE)),        equals(ARPHRD_ETHER, 0, 5),
    load(BPF_W, in_link_header(0)),               equals(0xffffffff, 0, 3),
    load(BPF_H, in_link_header(4)),               equals(0xffff, 0, 1),
    take(0xffff),                                 take(0),
};
static_assert(std::size(own_broadcasts) == 16);

}  // namespace

Status open_packet_socket(Fd& socket) {
  // Protocol 0: it hears nothing yet, and with the filter on never anything else.
  Fd made(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.valid()) return from_errno(errno, "packet socket");
  const sock_fprog program{static_cast<unsigned short>(std::size(own_broadcasts)), own_broadcasts};
  const int on = 1;
  if (::setsockopt(made.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
      ::setsockopt(made.get(), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) != 0) {
    return from_errno(errno, "packet filter");
  }
  // Beyond the system's limit with CAP_NET_ADMIN; without, the system's default will do.
  static_cast<void>(::setsockopt(made.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer));
  socket = std::move(made);
  return {};
}

Status start_capture(int socket) {
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  // Outgoing packets are shown to those only who ask for all protocols.
  everywhere.sll_protocol = htons(ETH_P_ALL);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&everywhere), sizeof everywhere) == 0) return {};
  return from_errno(errno, "capture");
}

int read_captured(int socket, int except, std::span<uint8_t> out) {
  sockaddr_ll from{};
  socklen_t size = sizeof from;
  ssize_t got;
  do {
    got = ::recvfrom(socket, out.data(), out.size(), MSG_DONTWAIT | MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &size);
  } while (got < 0 && errno == EINTR);
  // An interface that goes down says so once to a packet socket.
  if (got < 0) return errno == EAGAIN ? 0 : errno == ENETDOWN ? -1 : -2;
  if (got == 0) return -2;
  const bool is_excepted = size >= sizeof from && from.sll_family == AF_PACKET && from.sll_ifindex == except;
  return is_excepted || static_cast<size_t>(got) > out.size() ? -1 : static_cast<int>(got);
}

}  // namespace wg::tun
