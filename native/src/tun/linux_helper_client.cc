#if defined(__linux__)
#include "linux_helper_client.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace wg::tun {
namespace {

constexpr int open_timeout_ms = 120'000;  // a person types a password where pkexec or sudo starts the helper
constexpr int configure_timeout_ms = 10'000;
constexpr int exit_timeout_ms = 1'000;

/// The helper's surroundings: socket as standard input, no output, no environment, default signals.
class SpawnPlan {
 public:
  explicit SpawnPlan(int socket) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, socket, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  /// 0 or an errno.
  int run(const std::string& path, char* const* environment, pid_t& pid) {
    std::string argument = path;
    char* const arguments[] = {argument.data(), nullptr};
    return ::posix_spawn(&pid, path.c_str(), &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// Waits up to `timeout_ms` for something to read.
bool readable(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

/// The descriptor that came along, if any.
Fd take_descriptor(msghdr& message) {
  Fd taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof(int))) {
      continue;
    }
    int fd;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    taken = Fd(fd);
  }
  return taken;
}

Status receive_reply(int socket, Reply& reply, Fd* received) {
  std::array<uint8_t, max_reply_bytes + 1> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return {Code::helper_failed, size < 0 ? errno : 0, "helper ended"};
  Fd descriptor = take_descriptor(message);
  const auto decoded = decode_reply(std::span(bytes).first(static_cast<size_t>(size)));
  if (!decoded) return {Code::helper_failed, 0, "helper reply"};
  reply = *decoded;
  if (received) *received = std::move(descriptor);
  return {};
}

}  // namespace

Status HelperClient::start(const std::string& path) {
  close();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return from_errno(errno, "socketpair");
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const int failed = SpawnPlan(theirs.get()).run(path, environ, pid_);
  if (failed != 0) {
    pid_ = -1;
    const bool no_helper = failed == ENOENT || failed == EACCES || failed == EPERM;
    return {no_helper ? Code::no_rights : Code::helper_failed, failed, "start helper"};
  }
  socket_ = std::move(ours);
  return {};
}

Status HelperClient::request(const Request& request, int timeout_ms, Reply& reply, Fd* received) {
  if (!socket_.valid()) return {Code::closed, 0, "helper"};
  const auto bytes = encode_request(request);
  if (!bytes) return {Code::invalid, 0, "request"};
  if (::send(socket_.get(), bytes->data(), bytes->size(), MSG_NOSIGNAL) < 0) {
    return {Code::helper_failed, errno, "helper ended"};
  }
  if (!readable(socket_.get(), timeout_ms)) {
    socket_.reset();  // a late answer must not be taken for that of the next request
    return {Code::helper_failed, ETIMEDOUT, "helper"};
  }
  const Status status = receive_reply(socket_.get(), reply, received);
  if (!status.ok()) return status;
  return {reply.code, reply.sys, "helper"};
}

Status HelperClient::open_tun(const std::string& name, uint32_t mtu, Tun& tun) {
  if (mtu < min_mtu || mtu > max_mtu) return {Code::invalid, 0, "mtu"};
  Reply reply;
  Fd fd;
  const Status status = request(OpenRequest{name, static_cast<uint16_t>(mtu)}, open_timeout_ms, reply, &fd);
  if (!status.ok()) return status;
  if (!fd.valid()) return {Code::helper_failed, 0, "no descriptor"};
  tun.fd = std::move(fd);
  tun.name = reply.name;
  tun.mtu = reply.mtu;
  tun.ifindex = static_cast<int>(::if_nametoindex(reply.name.c_str()));
  return {};
}

Status HelperClient::configure(const std::vector<Prefix>& addresses, const std::vector<Prefix>& routes) {
  Reply reply;
  return request(ConfigureRequest{addresses, routes}, configure_timeout_ms, reply, nullptr);
}

Status HelperClient::capture(Fd& packets) {
  Reply reply;
  return request(CaptureRequest{}, configure_timeout_ms, reply, &packets);
}

void HelperClient::close() {
  socket_.reset();
  if (pid_ < 0) return;
  // The helper ends on end of file. It is killed only where it does not, so that it is never left unreaped.
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process.valid() || !readable(process.get(), exit_timeout_ms)) ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace wg::tun
#endif
