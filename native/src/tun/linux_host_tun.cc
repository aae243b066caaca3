#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "host_tun.h"

namespace wg::tun {

std::optional<HostTun> HostTun::duplicate(int fd) {
  udp::Fd tun(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  udp::Fd stopped(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int flags = fcntl(tun.get(), F_GETFL);
  if (tun.get() < 0 || stopped.get() < 0 || flags < 0) return std::nullopt;
  if (fcntl(tun.get(), F_SETFL, flags | O_NONBLOCK) != 0) return std::nullopt;
  return HostTun(std::move(tun), std::move(stopped));
}

int HostTun::read(ByteSpan out) const {
  while (true) {
    const ssize_t length = ::read(tun_.get(), out.data(), out.size());
    if (length > 0) return static_cast<int>(length);
    if (length == 0) return -ENODEV;  // no interface ends like this: whatever it is, it will not wait either
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -errno;
  }
}

void HostTun::wait() const {
  pollfd waiting[] = {{tun_.get(), POLLIN, 0}, {stopped_.get(), POLLIN, 0}};
  poll(waiting, 2, -1);
}

void HostTun::stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stopped_.get(), &one, sizeof one);
}

bool HostTun::write(ByteView packet) const { return ::write(tun_.get(), packet.data(), packet.size()) >= 0; }

}  // namespace wg::tun
