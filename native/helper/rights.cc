#include "rights.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace warren::helper {
namespace {

constexpr uid_t nobody = 65534;
constexpr uint64_t net_admin = uint64_t{1} << CAP_NET_ADMIN;

struct Capabilities {
  uint64_t effective = 0;
  uint64_t permitted = 0;
};

bool read_capabilities(Capabilities& caps) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  caps.effective = uint64_t{data[1].effective} << 32 | data[0].effective;
  caps.permitted = uint64_t{data[1].permitted} << 32 | data[0].permitted;
  return true;
}

/// Nothing is inheritable.
bool write_capabilities(const Capabilities& caps) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (int i = 0; i < 2; ++i) {
    data[i].effective = static_cast<uint32_t>(caps.effective >> (32 * i));
    data[i].permitted = static_cast<uint32_t>(caps.permitted >> (32 * i));
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// Started by root (sudo, pkexec): become whoever made the socket pair, or nobody where that is root as well.
bool leave_root() {
  if (::geteuid() != 0) return true;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  const uid_t uid = peer.uid == 0 ? nobody : peer.uid;
  const gid_t gid = peer.uid == 0 ? nobody : peer.gid;
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
}

bool keep_only_net_admin() {
  Capabilities caps;
  if (!read_capabilities(caps)) return false;
  const uint64_t kept = caps.permitted & net_admin;
  if (!write_capabilities({kept, kept}) || !read_capabilities(caps)) return false;
  return caps.permitted == kept && caps.effective == kept;
}

}  // namespace

bool enter_clean_room() {
  int type = 0;
  int domain = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) return false;
  size = sizeof domain;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
  ::closefrom(STDERR_FILENO + 1);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, STDOUT_FILENO) < 0 || ::dup2(null, STDERR_FILENO) < 0) return false;
  if (null > STDERR_FILENO) ::close(null);
  return ::clearenv() == 0 && ::chdir("/") == 0;
}

bool drop_rights() {
  // The bounding set needs CAP_SETPCAP, which a helper with file capabilities lacks; no_new_privs covers that case.
  for (unsigned long cap = 0; ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; ++cap) {
    if (cap != CAP_NET_ADMIN) static_cast<void>(::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
  }
  const rlimit none{0, 0};
  return ::setrlimit(RLIMIT_CORE, &none) == 0 && leave_root() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
         ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && keep_only_net_admin();
}

}  // namespace warren::helper
