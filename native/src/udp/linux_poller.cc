#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <limits>
#include <utility>

#include "poller.h"

namespace wg::udp {
namespace {

// Keys of what is not a socket.
constexpr uint64_t event_key = ~uint64_t{0}, timer_key = event_key - 1;

void watch(int epoll, int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void drain(int fd) {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(fd, &count, sizeof count);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  watch(epoll_.get(), event_.get(), event_key);
  watch(epoll_.get(), timer_.get(), timer_key);
}

bool Poller::ready() const { return epoll_.get() >= 0 && event_.get() >= 0 && timer_.get() >= 0; }

void Poller::add(const Socket& socket) { watch(epoll_.get(), socket.fd(), socket.id()); }

void Poller::remove(const Socket& socket) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket.fd(), nullptr); }

void Poller::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

void Poller::set_deadline(int64_t boot_ns) {
  itimerspec spec{};
  if (boot_ns != std::numeric_limits<int64_t>::max()) {
    const int64_t at = boot_ns > 0 ? boot_ns : 1;  // zero would switch the timer off
    spec.it_value = {at / 1'000'000'000, at % 1'000'000'000};
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Poller::wait(std::vector<SocketId>& readable, bool look) {
  readable.clear();
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), look ? 0 : -1);
  for (int i = 0; i < count; i++) {
    const uint64_t key = events[static_cast<size_t>(i)].data.u64;
    if (key == event_key) {
      drain(event_.get());
    } else if (key == timer_key) {
      drain(timer_.get());
    } else {
      readable.push_back(static_cast<SocketId>(key));
    }
  }
}

}  // namespace wg::udp
