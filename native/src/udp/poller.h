// What the network thread sleeps on: sockets, one exact deadline, and wake-ups. The platform's half is linux_poller.cc.
#pragma once

#include <utility>

#include "socket.h"

namespace wg::udp {

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class Poller {
 public:
  Poller();
  bool ready() const;

  void add(const Socket& socket);
  void remove(const Socket& socket);
  /// Ends `wait`; from any thread.
  void wake();
  /// Wakes at `boot_ns` of CLOCK_BOOTTIME; the maximum is never.
  void set_deadline(int64_t boot_ns);
  /// Sleeps until something happens, or with `look` only looks; fills the ids of readable sockets.
  void wait(std::vector<SocketId>& readable, bool look = false);

 private:
  Fd epoll_, event_, timer_;
};

}  // namespace wg::udp
