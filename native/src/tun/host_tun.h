// The device's end of a system TUN: packets as they are (IFF_NO_PI). The platform's half is linux_host_tun.cc.
#pragma once

#include <optional>

#include "../udp/poller.h"

namespace wg::tun {

class HostTun {
 public:
  /// A descriptor of our own for the same interface; nothing when `fd` is not one.
  static std::optional<HostTun> duplicate(int fd);

  /// One packet into `out` without waiting: its length, 0 when none waits, or -errno.
  int read(ByteSpan out) const;
  /// Sleeps until a packet waits or `stop` is woken.
  void wait() const;
  /// Ends `wait` for good; from any thread.
  void stop();
  /// False when the kernel did not take it.
  bool write(ByteView packet) const;

 private:
  HostTun(udp::Fd tun, udp::Fd stopped) : tun_(std::move(tun)), stopped_(std::move(stopped)) {}

  udp::Fd tun_, stopped_;
};

}  // namespace wg::tun
