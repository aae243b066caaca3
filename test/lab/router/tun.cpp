#include "tun.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace natbox {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

/** Enters a network namespace for as long as it lives. */
class InNamespace {
 public:
  explicit InNamespace(const std::string& path) : home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    const Fd target(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (home_.get() < 0 || target.get() < 0 || setns(target.get(), CLONE_NEWNET) != 0) fail("namespace " + path);
  }
  ~InNamespace() {
    if (setns(home_.get(), CLONE_NEWNET) != 0) _exit(70);  // going on in a namespace of someone else's is worse than ending
  }
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;

 private:
  Fd home_;
};

/** Long enough that bursts are lost to configured queues only, never to this one. */
constexpr int kQueuePackets = 20000;

}  // namespace

Tun::Tun(const std::string& netnsPath, const std::string& name, int mtu) {
  const InNamespace inside(netnsPath);
  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) fail("/dev/net/tun");
  ifreq request{};
  if (name.empty() || name.size() >= IFNAMSIZ) throw std::runtime_error("interface name " + name);
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) fail("TUNSETIFF " + name);
  const Fd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_mtu = mtu;
  if (ioctl(control.get(), SIOCSIFMTU, &request) != 0) fail("MTU of " + name);
  request.ifr_qlen = kQueuePackets;
  if (ioctl(control.get(), SIOCSIFTXQLEN, &request) != 0) fail("queue of " + name);
  if (ioctl(control.get(), SIOCGIFFLAGS, &request) != 0) fail("flags of " + name);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) fail("bringing up " + name);
  fd_ = fd.release();
}

Tun::~Tun() { close(fd_); }

std::optional<Packet> Tun::read() {
  static std::array<std::uint8_t, 65536> buffer;
  const ssize_t size = ::read(fd_, buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  return Packet(buffer.begin(), buffer.begin() + size);
}

bool Tun::write(const Packet& p) { return ::write(fd_, p.data(), p.size()) == static_cast<ssize_t>(p.size()); }

}  // namespace natbox
