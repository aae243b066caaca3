#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "socket.h"

namespace wg::udp {
namespace {

bool set_option(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) == 0; }

// Enough for some milliseconds at full speed; longer queues only add delay. The forced form passes the system's limit
// and needs CAP_NET_ADMIN.
constexpr int buffer_bytes = 1 << 20;

void size_buffers(int fd) {
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)) set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes)) set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
}

// Outer packets carry DF, and the kernel's idea of the path MTU does not stop them: probes find it.
bool set_dont_fragment(int fd, int family) {
  if (family == AF_INET) return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  return set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

bool is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

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

bool Socket::may_report_error(int64_t now_ns) {
  int64_t last = error_reported_.load(std::memory_order_relaxed);
  return now_ns - last >= 1'000'000'000 && error_reported_.compare_exchange_strong(last, now_ns);
}

struct SendBatch::Platform {
  std::array<mmsghdr, capacity> messages{};
  std::array<iovec, capacity> vectors{};
  std::array<Socket*, capacity> sockets{};
};

SendBatch::SendBatch() : platform_(std::make_unique<Platform>()) {}
SendBatch::~SendBatch() = default;

void SendBatch::add(Socket& socket, const Endpoint& to, ByteView bytes) {
  Platform& batch = *platform_;
  batch.vectors[size_] = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr& header = batch.messages[size_].msg_hdr;
  header = {};
  header.msg_name = const_cast<sockaddr*>(to.raw());
  header.msg_namelen = to.raw_size();
  header.msg_iov = &batch.vectors[size_];
  header.msg_iovlen = 1;
  batch.sockets[size_] = &socket;
  size_++;
}

size_t SendBatch::flush(bool patient, std::vector<SendFailure>& failures) {
  Platform& batch = *platform_;
  failures.clear();
  size_t dropped = 0;
  size_t begin = 0;
  bool waited = false;
  while (begin < size_) {
    Socket* socket = batch.sockets[begin];
    size_t end = begin + 1;
    while (end < size_ && batch.sockets[end] == socket) end++;
    const int sent = sendmmsg(socket->fd(), &batch.messages[begin], static_cast<unsigned>(end - begin), MSG_NOSIGNAL);
    if (sent > 0) {
      begin += static_cast<size_t>(sent);
      waited = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (is_full(error) && patient && !waited) {
      pollfd waiting{socket->fd(), POLLOUT, 0};
      poll(&waiting, 1, patience_ms);
      waited = true;
      continue;
    }
    // A full queue drops the rest of the run; any other error concerns the first datagram alone.
    const size_t lost = is_full(error) ? end - begin : 1;
    if (!is_full(error)) failures.push_back({socket, error});
    dropped += lost;
    begin += lost;
  }
  size_ = 0;
  return dropped;
}

struct ReceiveBatch::Platform {
  explicit Platform(size_t slot) : slot_size(slot), memory(slot * capacity) {
    for (size_t i = 0; i < capacity; i++) {
      vectors[i] = {memory.data() + i * slot_size, slot_size};
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = sources[i].raw();
      header.msg_iov = &vectors[i];
      header.msg_iovlen = 1;
    }
  }

  size_t slot_size;
  std::vector<uint8_t> memory;
  std::array<mmsghdr, capacity> messages{};
  std::array<iovec, capacity> vectors{};
  std::array<Endpoint, capacity> sources{};
};

ReceiveBatch::ReceiveBatch(size_t slot_size) : platform_(std::make_unique<Platform>(slot_size)) {
  received_.reserve(capacity);
}
ReceiveBatch::~ReceiveBatch() = default;

std::span<const Received> ReceiveBatch::receive(const Socket& socket, size_t& oversized) {
  Platform& batch = *platform_;
  received_.clear();
  for (mmsghdr& message : batch.messages) message.msg_hdr.msg_namelen = Endpoint::raw_capacity();
  // Errors (ICMP, interrupted) end this batch only: the socket stays in the poll set.
  const int count = recvmmsg(socket.fd(), batch.messages.data(), capacity, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; i++) {
    const auto index = static_cast<size_t>(i);
    if (batch.messages[index].msg_hdr.msg_flags & MSG_TRUNC) {
      oversized++;
      continue;
    }
    received_.push_back({{batch.memory.data() + index * batch.slot_size, batch.messages[index].msg_len},
                         batch.sources[index]});
  }
  return received_;
}

}  // namespace wg::udp
