// The real helper against whoever may start it: garbage, forbidden wishes, foreign descriptors, no socket at all.
// HELPER names the helper's program. Nothing here asks for what would be granted, so no interface appears.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <random>

#include "../../src/tun/linux_fd.h"
#include "../../src/tun/linux_helper_wire.h"
#include "../check.h"

namespace {

using namespace wg::tun;
using Bytes = std::vector<uint8_t>;

constexpr int patience_ms = 10'000;

const char* helper_path() {
  const char* path = std::getenv("HELPER");
  EXPECT(path);
  // The helper is not dumpable, which the leak check of its sanitizer build does not survive.
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
  return path;
}

/// A helper process on the other end of `socket`.
class Helper {
 public:
  Helper() {
    int ends[2];
    EXPECT(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    socket = Fd(ends[0]);
    pid_ = spawn(Fd(ends[1]).get());
  }
  ~Helper() {
    socket.reset();
    EXPECT(exit_code() == 0);
  }

  /// Starts the helper with `input` as its standard input.
  static pid_t spawn(int input) {
    const char* path = helper_path();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    std::string argument = path;
    char* const arguments[] = {argument.data(), nullptr};
    pid_t pid = -1;
    EXPECT(posix_spawn(&pid, path, &actions, nullptr, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }
  static int wait_for(pid_t pid) {
    int status = 0;
    EXPECT(::waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int exit_code() {
    if (pid_ < 0) return 0;
    return wait_for(std::exchange(pid_, -1));
  }

  Reply ask(const Bytes& request) {
    EXPECT(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
    return receive();
  }
  Reply receive() {
    pollfd waiting{socket.get(), POLLIN, 0};
    EXPECT(::poll(&waiting, 1, patience_ms) == 1);
    std::array<uint8_t, 256> bytes;
    const ssize_t size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    EXPECT(size > 0);
    const auto reply = decode_reply(std::span(bytes).first(static_cast<size_t>(size)));
    EXPECT(reply);
    return *reply;
  }

  Fd socket;

 private:
  pid_t pid_ = -1;
};

}  // namespace

// Fixed seed; none is a permitted `open`.
TEST("the helper answers 5,000 bent and random frames with invalid") {
  Helper helper;
  std::mt19937 random(1);
  const ConfigureRequest forbidden{{*parse_prefix("192.168.0.1/24")}, {*parse_prefix("0.0.0.0/0")}};
  const Bytes frame = *encode_request(forbidden);
  for (int i = 0; i < 5'000; i++) {
    Bytes bytes = frame;
    if (i % 2 == 0) {
      for (unsigned changes = random() % 4 + 1; changes > 0; changes--) bytes[2 + random() % (bytes.size() - 2)] = random() & 255;
    } else {
      bytes.resize(random() % max_request_bytes + 1);
      for (uint8_t& byte : bytes) byte = random() & 255;
      bytes[0] |= 2;  // another version
    }
    EXPECT(helper.ask(bytes).code == Code::invalid);
  }
}

TEST("the helper refuses foreign names, a default route, and to configure what it has not opened") {
  Helper helper;
  EXPECT(helper.ask(*encode_request(OpenRequest{"eth0", 1420})).code == Code::invalid);
  EXPECT(helper.ask(*encode_request(OpenRequest{"warren100", 1420})).code == Code::invalid);
  EXPECT(helper.ask(*encode_request(ConfigureRequest{{}, {*parse_prefix("0.0.0.0/0")}})).code == Code::invalid);
  const ConfigureRequest too_early{{*parse_prefix("10.64.0.1/20")}, {}};
  EXPECT(helper.ask(*encode_request(too_early)).code == Code::invalid);
}

TEST("the helper refuses frames that are too long or too short") {
  Helper helper;
  Bytes bytes = *encode_request(ConfigureRequest{std::vector(max_addresses, *parse_prefix("10.64.0.1/32")),
                                                 std::vector(max_routes, *parse_prefix("10.64.0.1/32"))});
  bytes.resize(bytes.size() * 8);
  EXPECT(helper.ask(bytes).code == Code::invalid);
  EXPECT(helper.ask({1}).code == Code::invalid);
}

TEST("the helper closes a descriptor that comes along: the far end of its pipe sees the end") {
  Helper helper;
  int ends[2];
  EXPECT(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  uint8_t byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = writing.get();
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  EXPECT(::sendmsg(helper.socket.get(), &message, 0) == 1);
  writing.reset();
  EXPECT(helper.receive().code == Code::invalid);
  pollfd waiting{reading.get(), POLLIN, 0};
  EXPECT(::poll(&waiting, 1, patience_ms) == 1 && (waiting.revents & POLLHUP));
}

TEST("the helper ends at once when standard input is no SOCK_SEQPACKET socket") {
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT(Helper::wait_for(Helper::spawn(null.get())) == 2);
  int ends[2];
  EXPECT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  EXPECT(Helper::wait_for(Helper::spawn(theirs.get())) == 2);
}
