// A game's datagrams, 60 a second, and the time each takes from send() to the receiving socket: game-flow send IP PORT COUNT,
// game-flow receive PORT COUNT. Both ends are on one machine, and so on one clock; the arrival is the kernel's time stamp,
// because when a busy machine gets to run the reader is not the network's delay. `receive` prints the delays in us as JSON.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr int64_t interval = second / 60;
constexpr size_t size = 120;
/// Beyond the longest queue that a bench builds.
constexpr timeval silence{5, 0};

struct Message {
  uint32_t sequence;
  int64_t sent;
};

int64_t nanoseconds(const timespec& time) { return time.tv_sec * second + time.tv_nsec; }

int64_t clock_now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return nanoseconds(time);
}

int send_all(const char* ip, uint16_t port, uint32_t count) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, ip, &to.sin_addr);
  int64_t next = clock_now(CLOCK_MONOTONIC);
  for (uint32_t sequence = 0; sequence < count; sequence++) {
    const timespec at{next / second, next % second};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
    next += interval;
    char bytes[size] = {};
    const Message message{sequence, clock_now(CLOCK_REALTIME)};
    std::memcpy(bytes, &message, sizeof message);
    sendto(fd, bytes, size, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  return 0;
}

int64_t arrival_of(msghdr& header) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    return nanoseconds(stamp);
  }
  return clock_now(CLOCK_REALTIME);
}

int receive_all(uint16_t port, uint32_t count) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) return 1;
  std::puts("ready");
  std::fflush(stdout);
  std::vector<int64_t> delays;
  Message message{};
  while (delays.size() < count) {
    char bytes[size], control[64];
    iovec vector{bytes, sizeof bytes};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(fd, &header, 0) != static_cast<ssize_t>(size)) break;
    if (delays.empty()) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    std::memcpy(&message, bytes, sizeof message);
    delays.push_back(arrival_of(header) - message.sent);
    if (message.sequence + 1 == count) break;
  }
  std::string text = "[";
  for (const int64_t delay : delays) text += (text.size() > 1 ? "," : "") + std::to_string(delay / 1'000);
  std::printf("%s]\n", text.c_str());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int index) { return static_cast<uint32_t>(std::atoi(arguments[index])); };
  if (count == 5 && std::string(arguments[1]) == "send") return send_all(arguments[2], static_cast<uint16_t>(number(3)), number(4));
  if (count == 4 && std::string(arguments[1]) == "receive") return receive_all(static_cast<uint16_t>(number(2)), number(3));
  return 2;
}
