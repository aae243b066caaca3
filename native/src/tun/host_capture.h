// Broadcasts that this host sends by other interfaces. The platform's half is linux_host_capture.cc.
#pragma once

#include <optional>
#include <vector>

#include "../noise/bytes.h"
#include "../udp/poller.h"

namespace wg::tun {

class HostCapture {
 public:
  /// A descriptor of our own; what left by the TUN `tun_fd` is none of it. Nothing when `fd` is not usable.
  static std::optional<HostCapture> duplicate(int fd, int tun_fd);

  int fd() const { return socket_.get(); }
  /// No more will come.
  bool ended() const { return ended_; }
  /// One IPv4 packet of this host's own, valid until the next call; empty when none waits.
  ByteView read(int64_t now_ns);

 private:
  HostCapture(udp::Fd socket, int except);
  bool is_own(uint32_t address, int64_t now_ns);

  udp::Fd socket_;
  int except_;
  bool ended_ = false;
  std::vector<uint8_t> packet_;
  /// IPv4 addresses of this host, host order, and when they were read.
  std::vector<uint32_t> own_;
  int64_t own_at_;
};

}  // namespace wg::tun
