/* Preloaded into a process, makes its kernel an older or poorer one: OLD_KERNEL_LACKS names, separated by commas, what it refuses.
 *   tun-offload   TUNSETOFFLOAD, as a driver without it
 *   uso           TUNSETOFFLOAD with USO, before Linux 6.2
 *   udp-segment   UDP_SEGMENT as an option, before 4.18
 *   udp-segment-send   a cut send with EIO, as an interface without checksum offload
 *   udp-gro       UDP_GRO, before 5.0
 *   tun-frames    frames written to a TUN with EINVAL, although it said that it takes them */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

static int lacks(const char *feature) {
  const char *list = getenv("OLD_KERNEL_LACKS");
  const size_t length = strlen(feature);
  while (list && *list) {
    const char *end = strchrnul(list, ',');
    if ((size_t)(end - list) == length && strncmp(list, feature, length) == 0) return 1;
    list = *end ? end + 1 : end;
  }
  return 0;
}

static int refuse(int error) {
  errno = error;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  const unsigned long uso = 0x60;
  if (request == TUNSETOFFLOAD && lacks("tun-offload")) return refuse(EINVAL);
  if (request == TUNSETOFFLOAD && ((unsigned long)argument & uso) && lacks("uso")) return refuse(EINVAL);
  return (int)syscall(SYS_ioctl, fd, request, argument);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  if (level == SOL_UDP && name == UDP_GRO && lacks("udp-gro")) return refuse(ENOPROTOOPT);
  return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
  if (level == SOL_UDP && name == UDP_SEGMENT && lacks("udp-segment")) return refuse(ENOPROTOOPT);
  return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  unsigned plain = count;
  for (unsigned i = 0; i < count && lacks("udp-segment-send"); i++) {
    if (messages[i].msg_hdr.msg_controllen == 0) continue;
    plain = i;
    break;
  }
  if (plain == 0 && count > 0) return refuse(EIO);
  return (int)syscall(SYS_sendmmsg, fd, messages, plain, flags);
}

static int is_tun(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 && S_ISCHR(file.st_mode) && file.st_rdev == makedev(10, 200);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  // Virtio's header comes first; its second byte is the kind of frame, 0 for none.
  if (lacks("tun-frames") && is_tun(fd) && ((const unsigned char *)parts[0].iov_base)[1] != 0) return refuse(EINVAL);
  return syscall(SYS_writev, fd, parts, count);
}
