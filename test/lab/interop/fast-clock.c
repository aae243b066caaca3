/* Preloaded into a process, makes its CLOCK_BOOTTIME run FAST_CLOCK_FACTOR times faster from the first reading on. The device
 * measures key ages with that clock, and nothing else does: keys grow old in seconds, while the network keeps its pace. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const long long second = 1000000000LL;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static long long start, factor;

static long long to_ns(const struct timespec *at) { return at->tv_sec * second + at->tv_nsec; }

static struct timespec from_ns(long long ns) {
  const struct timespec at = {.tv_sec = ns / second, .tv_nsec = ns % second};
  return at;
}

static long long real_boottime(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
  return to_ns(&now);
}

static void initialise(void) {
  const char *text = getenv("FAST_CLOCK_FACTOR");
  factor = text ? atoll(text) : 1;
  start = real_boottime();
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock != CLOCK_BOOTTIME) return (int)syscall(SYS_clock_gettime, clock, now);
  pthread_once(&once, initialise);
  *now = from_ns(start + (real_boottime() - start) * factor);
  return 0;
}

/* Absolute deadlines of the fast clock, in the kernel's terms. */
int timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *previous) {
  struct itimerspec real = *wanted;
  const long long at = to_ns(&wanted->it_value);
  pthread_once(&once, initialise);
  if ((flags & TFD_TIMER_ABSTIME) && at > start) real.it_value = from_ns(start + (at - start) / factor);
  return (int)syscall(SYS_timerfd_settime, fd, flags, &real, previous);
}
