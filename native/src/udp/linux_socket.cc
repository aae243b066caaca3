#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "socket.h"

namespace wg::udp {
namespace {

bool set_option(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) == 0; }

// Tuning: 3 ms at 1 Gbit/s. What waits to leave cannot be passed any more: with 8 MB the round trip beside bulk took twice as
// long, and nothing was faster.
constexpr int send_bytes = 400'000;
// Tuning: 2 ms at 5 Gbit/s. It is emptied before any bulk is opened; a small packet is lost only when it overflows while the
// receiver does not run.
constexpr int receive_bytes = 1'250'000;

// The forced form passes the system's limit and needs CAP_NET_ADMIN.
void size_buffers(int fd) {
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)) set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes);
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, send_bytes)) set_option(fd, SOL_SOCKET, SO_SNDBUF, send_bytes);
}

// Outer packets carry DF, and the kernel's idea of the path MTU does not stop them: probes find it.
bool set_dont_fragment(int fd, int family) {
  if (family == AF_INET) return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  return set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

// Kernels before 4.18 would take such a send for one datagram; before 5.0 they do not join received ones.
bool can_segment(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0;
}

}  // namespace

std::shared_ptr<Socket> Socket::open(SocketId id, const SocketOptions& options, int& error) {
  const int family = options.bind.family();
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (fd < 0) {
    error = errno;
    return nullptr;
  }
  std::shared_ptr<Socket> result(new Socket(id, fd));
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  const bool ready = (family == AF_INET || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                     (options.mark == 0 || set_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(options.mark))) &&
                     set_dont_fragment(fd, family) &&
                     bind(fd, options.bind.raw(), options.bind.raw_size()) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) == 0;
  if (!ready) {
    error = errno;
    return nullptr;
  }
  size_buffers(fd);
  set_option(fd, SOL_UDP, UDP_GRO, 1);
  result->segments_ = can_segment(fd);
  result->local_ = *Endpoint::from(local);
  return result;
}

Socket::~Socket() { close(fd_); }

int Socket::send(const Endpoint& to, ByteView bytes, int ttl) const {
  iovec vector{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.raw());
  message.msg_namelen = to.raw_size();
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (ttl > 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = to.is_v4() ? IPPROTO_IP : IPPROTO_IPV6;
    header->cmsg_type = to.is_v4() ? IP_TTL : IPV6_HOPLIMIT;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &ttl, sizeof ttl);
  }
  return sendmsg(fd_, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

void Socket::wait_for_room(int patience_ms) const {
  pollfd waiting{fd_, POLLOUT, 0};
  poll(&waiting, 1, patience_ms);
}

bool is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

bool Socket::may_report_error(int64_t now_ns) {
  int64_t last = error_reported_.load(std::memory_order_relaxed);
  return now_ns - last >= 1'000'000'000 && error_reported_.compare_exchange_strong(last, now_ns);
}

}  // namespace wg::udp
