// The host's packets on their way from the TUN into the queue, where small ones pass the others.
#pragma once

#include "../tun/host_tun.h"
#include "outbound.h"

namespace wg {

/// Takes what waits in the TUN, as far as that is of use before something is sent; `played_at` as in State. Who woke this thread
/// (`slept`) does not wait for the others. The last read's result: its length, 0 when nothing waits any more, or -errno.
int read_host(const tun::HostTun& tun, Outbound& outbound, const std::atomic<Nanos>& played_at, bool slept);

}  // namespace wg
