// The device's end of a system TUN. The platform's half is linux_host_tun.cc.
#pragma once

#include <optional>

#include "../offload/offload.h"
#include "../udp/poller.h"

namespace wg::tun {

/// What the system joins and cuts for us.
struct HostOffloads {
  bool tcp = false, udp = false;
};

class HostTun {
 public:
  /// Bytes a read may bring.
  static constexpr size_t max_read = offload::max_frame;

  /// A descriptor of our own for the same interface; nothing when `fd` is not one.
  static std::optional<HostTun> duplicate(int fd);

  /// Frames that the system takes, where it has them.
  HostOffloads offloads() const { return offloads_; }
  /// One packet or frame into `out` without waiting: its length, 0 when none waits, or -errno.
  int read(ByteSpan out, offload::Offload& offload) const;
  /// Sleeps until a packet waits, here or in what `wait_for` named, or `stop` is woken, at most `time` nanoseconds. False when
  /// none can wait in the latter.
  bool wait(int64_t time) const;
  void wait_for(int fd) const;
  void forget(int fd) const;
  /// Ends `wait` for good; from any thread.
  void stop();
  /// One packet or frame, in pieces. 0, or the errno with which the kernel refused it.
  int write(std::span<const ByteView> parts, const offload::Offload& offload) const;

 private:
  HostTun(udp::Fd tun, udp::Fd stopped, udp::Fd ready)
      : tun_(std::move(tun)), stopped_(std::move(stopped)), ready_(std::move(ready)) {}

  /// `ready_` waits for the other two.
  udp::Fd tun_, stopped_, ready_;
  /// Packets carry virtio's header.
  bool header_ = false;
  HostOffloads offloads_;
};

}  // namespace wg::tun
