// warren-tun-helper: the only privileged code of Warren on Linux.
//
//   1. Standard input is one end of a SOCK_SEQPACKET pair, made by the process that wants a TUN.
//   2. A packet socket is opened that sees only this host's broadcasts. Everything but the sockets and CAP_NET_ADMIN is
//      given up.
//   3. `open` makes one interface and sends its descriptor by SCM_RIGHTS; `configure` sets addresses and routes.
//   4. `capture` sends one end of a pair, into which those broadcasts are written: the packet socket itself, by which one can
//      also send, stays here.
//   5. End of file ends the helper. Its own copy of the descriptor goes with it, so the interface does too.
//
// It takes no argument and reads no file and no environment. What it refuses it answers with `invalid`.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "../src/tun/linux_helper_wire.h"
#include "../src/tun/linux_packet_socket.h"
#include "../src/tun/linux_tun.h"
#include "policy.h"
#include "rights.h"

namespace {

using namespace wg::tun;

constexpr int app_socket = STDIN_FILENO;

/// The one interface of this process.
struct Session {
  Fd clone_device;
  Status clone_status;
  Tun tun;
  Fd packets;
  Status packets_status;
  /// Our end of the pair; none before `capture`, and after its other end was closed.
  Fd copies;
};

Status open_interface(Session& session, const OpenRequest& request) {
  if (session.tun.fd.valid()) return {Code::invalid, 0, "second open"};
  if (!session.clone_status.ok()) return session.clone_status;
  return create_tun(session.clone_device, request.name, request.mtu, session.tun);
}

Status configure_interface(const Session& session, const ConfigureRequest& request) {
  if (!session.tun.fd.valid()) return {Code::invalid, 0, "configure before open"};
  return configure_tun(session.tun.ifindex, request.addresses, request.routes);
}

Status open_capture(Session& session, Fd& theirs) {
  if (!session.tun.fd.valid()) return {Code::invalid, 0, "capture before open"};
  if (session.copies.valid()) return {Code::invalid, 0, "second capture"};
  if (!session.packets_status.ok()) return session.packets_status;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return from_errno(errno, "socketpair");
  session.copies = Fd(ends[0]);
  theirs = Fd(ends[1]);
  return start_capture(session.packets.get());
}

/// Whoever does not read loses packets; whoever has closed gets no more.
void copy_broadcast(Session& session) {
  std::array<uint8_t, max_captured> packet;
  const int length = read_captured(session.packets.get(), session.tun.ifindex, packet);
  if (length <= 0 && length != -2) return;
  const bool taken = length > 0 && (::send(session.copies.get(), packet.data(), static_cast<size_t>(length),
                                           MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
                                    errno == EAGAIN || errno == ENOBUFS);
  if (taken) return;
  session.copies.reset();
  session.packets.reset();
  session.packets_status = {Code::closed, 0, "capture"};
}

/// `fd` below 0 sends none. False: the other end is gone.
bool send_reply(const Reply& reply, int fd) {
  auto bytes = encode_reply(reply);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  return ::sendmsg(app_socket, &message, MSG_NOSIGNAL) >= 0;
}

bool answer(Session& session, std::span<const uint8_t> bytes) {
  const auto request = decode_request(bytes);
  if (!request || !warren::helper::permits(*request)) return send_reply({.code = Code::invalid, .name = {}}, -1);
  if (const auto* configure = std::get_if<ConfigureRequest>(&*request)) {
    const Status status = configure_interface(session, *configure);
    return send_reply({status.code, status.sys, 0, {}}, -1);
  }
  if (std::holds_alternative<CaptureRequest>(*request)) {
    Fd theirs;
    const Status status = open_capture(session, theirs);
    return send_reply({status.code, status.sys, 0, {}}, status.ok() ? theirs.get() : -1);
  }
  const Status status = open_interface(session, std::get<OpenRequest>(*request));
  if (!status.ok()) return send_reply({status.code, status.sys, 0, {}}, -1);
  return send_reply({Code::ok, 0, static_cast<uint16_t>(session.tun.mtu), session.tun.name}, session.tun.fd.get());
}

void serve(Session& session) {
  std::array<uint8_t, max_request_bytes + 1> bytes;  // one more, so that a longer request is seen to be too long
  for (;;) {
    pollfd waiting[] = {{app_socket, POLLIN, 0}, {session.copies.valid() ? session.packets.get() : -1, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) copy_broadcast(session);
    if (waiting[0].revents == 0) continue;
    // recv, not recvmsg: descriptors that somebody sends are closed by the kernel.
    const ssize_t size = ::recv(app_socket, bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || !answer(session, std::span(bytes).first(static_cast<size_t>(size)))) return;
  }
}

}  // namespace

int main() {
  if (!warren::helper::enter_clean_room()) return 2;
  Session session;
  session.clone_status = open_clone_device(session.clone_device);  // before root goes: the device may be root's alone
  session.packets_status = open_packet_socket(session.packets);
  if (!warren::helper::drop_rights()) return 3;
  serve(session);
  return 0;
}
