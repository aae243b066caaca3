#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <limits>

#include "host_capture.h"
#include "linux_packet_socket.h"

namespace wg::tun {
namespace {

/// Tuning: a new address is known this soon, and a flood of broadcasts asks no more often.
constexpr int64_t addresses_last = 1'000'000'000;
/// Tuning: packets that are passed over before something else has its turn.
constexpr int most_looks = 64;
constexpr size_t source_at = 12, header_size = 20;

int interface_of(int tun_fd) {
  ifreq request{};
  if (::ioctl(tun_fd, TUNGETIFF, &request) != 0) return 0;
  return static_cast<int>(::if_nametoindex(request.ifr_name));
}

std::vector<uint32_t> own_addresses() {
  std::vector<uint32_t> out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  for (const ifaddrs* one = first; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    out.push_back(ntohl(reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr.s_addr));
  }
  ::freeifaddrs(first);
  return out;
}

}  // namespace

HostCapture::HostCapture(udp::Fd socket, int except)
    : socket_(std::move(socket)), except_(except), packet_(max_captured), own_at_(std::numeric_limits<int64_t>::min() / 2) {}

std::optional<HostCapture> HostCapture::duplicate(int fd, int tun_fd) {
  udp::Fd socket(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (socket.get() < 0) return std::nullopt;
  return HostCapture(std::move(socket), interface_of(tun_fd));
}

ByteView HostCapture::read(int64_t now_ns) {
  for (int looks = 0; looks < most_looks && !ended_; looks++) {
    const int length = read_captured(socket_.get(), except_, packet_);
    if (length == 0) return {};
    if (length == -2) ended_ = true;
    if (length < static_cast<int>(header_size)) continue;
    // A bridge passes on what its guests said: not ours to copy.
    if (is_own(load_be32(packet_.data() + source_at), now_ns)) return ByteView(packet_).first(static_cast<size_t>(length));
  }
  return {};
}

bool HostCapture::is_own(uint32_t address, int64_t now_ns) {
  if (now_ns - own_at_ >= addresses_last) {
    own_ = own_addresses();
    own_at_ = now_ns;
  }
  return std::ranges::find(own_, address) != own_.end();
}

}  // namespace wg::tun
