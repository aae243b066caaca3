#include <sched.h>

#include "crypto_pool.h"

namespace wg {

// The affinity mask, not what the machine has: a container or `taskset` leaves fewer.
size_t usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(CPU_COUNT(&set));
  return std::thread::hardware_concurrency();
}

}  // namespace wg
