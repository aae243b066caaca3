// natbox: a user-space router that plays a small Internet with its NATs, for tests in network namespaces.
//
// The first line of standard input is the configuration, every further line a control message; each is answered by one JSON line
// on standard output. The end of standard input ends the program, and with it all its interfaces.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>

#include "json.hpp"
#include "network.hpp"

namespace natbox {
namespace {

Time monotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

/** Splits standard input into lines. */
class Lines {
 public:
  /** Reads what is there; false at the end of input. */
  bool fill() {
    std::array<char, 65536> buffer{};
    const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0) return errno == EINTR || errno == EAGAIN;
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  std::optional<std::string> take() {
    const std::size_t end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

 private:
  std::string text_;
};

void answer(const std::string& members) {
  std::fputs(("{" + members + "}\n").c_str(), stdout);
  std::fflush(stdout);
}

void handle(Network& network, const std::string& line) {
  long long id = 0;
  try {
    const Json message = Json::parse(line);
    id = static_cast<long long>(message["id"].number(0));
    const std::string members = network.control(message, monotonicNow());
    answer("\"id\":" + std::to_string(id) + ",\"ok\":true" + (members.empty() ? "" : "," + members));
  } catch (const std::exception& error) {
    answer("\"id\":" + std::to_string(id) + ",\"ok\":false,\"error\":" + quoted(error.what()));
  }
}

class EventLoop {
 public:
  explicit EventLoop(Network& network) : network_(network), epoll_(epoll_create1(EPOLL_CLOEXEC)), timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (epoll_ < 0 || timer_ < 0) throw std::runtime_error("epoll or timerfd is not available");
    watch(STDIN_FILENO, kInput);
    watch(timer_, kTimer);
    for (std::size_t index = 0; index < network.interfaces().size(); ++index) watch(network.interfaces()[index]->tun->fd(), kInterfaces + index);
  }
  ~EventLoop() {
    close(timer_);
    close(epoll_);
  }
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void run(Lines& lines) {
    std::array<epoll_event, 64> events{};
    while (true) {
      while (auto line = lines.take()) handle(network_, *line);
      network_.runDue(monotonicNow());
      arm();
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int index = 0; index < count; ++index) {
        const std::uint64_t what = events[static_cast<std::size_t>(index)].data.u64;
        if (what == kInput) {
          if (!lines.fill()) return;
        } else if (what == kTimer) {
          std::uint64_t expirations = 0;
          if (read(timer_, &expirations, sizeof expirations) > 0) armedFor_ = 0;
        } else {
          network_.readInterface(*network_.interfaces()[what - kInterfaces], monotonicNow());
          network_.runDue(monotonicNow());
        }
      }
    }
  }

 private:
  static constexpr std::uint64_t kInput = 0;
  static constexpr std::uint64_t kTimer = 1;
  static constexpr std::uint64_t kInterfaces = 2;

  void watch(int fd, std::uint64_t what) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = what;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
  }

  void arm() {
    const Time due = network_.next().value_or(0);
    if (due == armedFor_) return;
    armedFor_ = due;
    itimerspec when{};
    when.it_value.tv_sec = due / kSecond;
    when.it_value.tv_nsec = due % kSecond;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  Network& network_;
  int epoll_;
  int timer_;
  Time armedFor_ = 0;
};

int serve() {
  Lines lines;
  std::optional<std::string> first;
  while (!(first = lines.take())) {
    if (!lines.fill()) return 2;
  }
  try {
    Network network{Json::parse(*first)};
    EventLoop loop(network);
    answer("\"ready\":true");
    loop.run(lines);
    return 0;
  } catch (const std::exception& error) {
    answer("\"ready\":false,\"error\":" + quoted(error.what()));
    return 1;
  }
}

}  // namespace
}  // namespace natbox

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  // Ctrl-C in a developer's shell goes to the whole foreground group; the router ends when its owner closes standard input.
  std::signal(SIGINT, SIG_IGN);
  return natbox::serve();
}
