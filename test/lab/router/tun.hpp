// A TUN interface in a named network namespace, and nothing else of that namespace.
#pragma once

#include <optional>
#include <string>

#include "packet.hpp"

namespace natbox {

class Tun {
 public:
  /** Creates the interface in the namespace at `netnsPath`. Throws std::runtime_error with the cause. */
  Tun(const std::string& netnsPath, const std::string& name, int mtu);
  ~Tun();
  Tun(const Tun&) = delete;
  Tun& operator=(const Tun&) = delete;

  int fd() const { return fd_; }
  /** The next packet, or nothing when none waits. */
  std::optional<Packet> read();
  /** False when the kernel did not take it. */
  bool write(const Packet& p);

 private:
  int fd_ = -1;
};

}  // namespace natbox
