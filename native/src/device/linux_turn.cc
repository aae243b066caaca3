#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "turn.h"

namespace wg {
namespace {

// sched_setattr(2), which the C library does not know; its first version.
struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

// Nothing for a thread that is not an ordinary one.
bool read(Attributes& attributes) {
  const bool known = syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0;
  return known && (attributes.policy == SCHED_OTHER || attributes.policy == SCHED_BATCH);
}

}  // namespace

// Before 6.12 the field is 0 for ordinary threads.
Nanos time_slice() {
  Attributes attributes{};
  return read(attributes) ? static_cast<Nanos>(attributes.runtime) : 0;
}

void set_time_slice(Nanos slice) {
  Attributes attributes{};
  if (!read(attributes) || attributes.runtime == 0) return;
  attributes.runtime = static_cast<uint64_t>(slice);
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void give_way() { sched_yield(); }

}  // namespace wg
