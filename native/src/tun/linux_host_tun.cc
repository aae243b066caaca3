#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "../offload/coalescer.h"
#include "host_tun.h"

namespace wg::tun {
namespace {

using offload::Kind;
using offload::Offload;

// linux/virtio_net.h does not compile as C++, and lacks what came with Linux 6.2. Fields are in the machine's order.
struct VnetHeader {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
static_assert(sizeof(VnetHeader) == 10);
constexpr uint8_t flag_needs_csum = 1;
constexpr uint8_t gso_tcp4 = 1, gso_tcp6 = 4, gso_udp = 5, gso_ecn = 0x80;
constexpr unsigned tun_f_uso4 = 0x20, tun_f_uso6 = 0x40;

bool has_header(int fd) {
  ifreq request{};
  return ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_VNET_HDR) != 0;
}

// Asks for as much as this kernel has; USO came with Linux 6.2.
HostOffloads enable_offloads(int fd) {
  constexpr unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  if (ioctl(fd, TUNSETOFFLOAD, tcp | tun_f_uso4 | tun_f_uso6) == 0) return {true, true};
  if (ioctl(fd, TUNSETOFFLOAD, tcp) == 0) return {true, false};
  return {};
}

Offload decode(const VnetHeader& header) {
  Offload out;
  if (header.flags & flag_needs_csum) {
    out.checksum_at = header.csum_start;
    out.checksum_offset = header.csum_offset;
  }
  const uint8_t type = header.gso_type & static_cast<uint8_t>(~gso_ecn);
  if (type == gso_tcp4 || type == gso_tcp6) out.kind = Kind::tcp;
  if (type == gso_udp) out.kind = Kind::udp;
  if (out.kind != Kind::none) out.segment = header.gso_size;
  return out;
}

VnetHeader encode(const Offload& offload, ByteView first) {
  VnetHeader header{};
  if (offload.kind == Kind::none) return header;
  const bool v4 = first[0] >> 4 == 4;
  header.flags = flag_needs_csum;
  header.gso_type = offload.kind == Kind::udp ? gso_udp : v4 ? gso_tcp4 : gso_tcp6;
  header.header_length = static_cast<uint16_t>(first.size() - offload.segment);
  header.gso_size = offload.segment;
  header.csum_start = offload.checksum_at;
  header.csum_offset = offload.checksum_offset;
  return header;
}

bool watch(const udp::Fd& epoll, int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

std::optional<HostTun> HostTun::duplicate(int fd) {
  udp::Fd tun(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  udp::Fd stopped(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  udp::Fd ready(epoll_create1(EPOLL_CLOEXEC));
  const int flags = fcntl(tun.get(), F_GETFL);
  if (tun.get() < 0 || flags < 0 || !watch(ready, stopped.get(), 0)) return std::nullopt;
  // What cannot be watched, as a file, will not wait either: reading it says what is wrong.
  watch(ready, tun.get(), 0);
  if (fcntl(tun.get(), F_SETFL, flags | O_NONBLOCK) != 0) return std::nullopt;
  HostTun result(std::move(tun), std::move(stopped), std::move(ready));
  result.header_ = has_header(fd);
  if (result.header_) result.offloads_ = enable_offloads(fd);
  return result;
}

int HostTun::read(ByteSpan out, Offload& offload) const {
  VnetHeader header{};
  const size_t ahead = header_ ? sizeof header : 0;
  const iovec parts[] = {{&header, ahead}, {out.data(), out.size()}};
  while (true) {
    const ssize_t got = readv(tun_.get(), parts, 2);
    if (got > static_cast<ssize_t>(ahead)) {
      offload = decode(header);
      return static_cast<int>(got) - static_cast<int>(ahead);
    }
    if (got >= 0) return -ENODEV;  // no interface ends like this: whatever it is, it will not wait either
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -errno;
  }
}

// A wait without an end is the one of an idle path: epoll wakes sooner than a poll of several. It has no nanoseconds, though.
bool HostTun::wait(int64_t time) const {
  if (time == std::numeric_limits<int64_t>::max()) {
    epoll_event events[3];
    const int count = epoll_wait(ready_.get(), events, 3, -1);
    return std::any_of(events, events + std::max(0, count), [](const epoll_event& event) { return event.data.u64 != 0; });
  }
  pollfd waiting{ready_.get(), POLLIN, 0};
  constexpr int64_t second = 1'000'000'000;
  const timespec most{std::max<int64_t>(0, time) / second, std::max<int64_t>(0, time) % second};
  ppoll(&waiting, 1, &most, nullptr);
  return true;
}

void HostTun::wait_for(int fd) const { watch(ready_, fd, 1); }
void HostTun::forget(int fd) const { epoll_ctl(ready_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void HostTun::stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stopped_.get(), &one, sizeof one);
}

int HostTun::write(std::span<const ByteView> parts, const Offload& offload) const {
  VnetHeader header = encode(offload, parts[0]);
  std::array<iovec, offload::Coalescer::max_packets + 1> vectors;
  size_t count = 0;
  if (header_) vectors[count++] = {&header, sizeof header};
  for (const ByteView part : parts) vectors[count++] = {const_cast<uint8_t*>(part.data()), part.size()};
  return writev(tun_.get(), vectors.data(), static_cast<int>(count)) < 0 ? errno : 0;
}

}  // namespace wg::tun
