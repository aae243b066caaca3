#include "host_reader.h"

#include "turn.h"

namespace wg {
namespace {

/// Tuning: no more packets than leave in one go. Those of a host that sends without end would be read to be dropped, for most of
/// the thread's time.
constexpr size_t most_packets = Sealing::max_bursts;
/// Tuning: while somebody plays, whose packets the kernel drops when they find the TUN full: more than a host sends in a
/// millisecond. Of frames, always.
constexpr size_t most_in_play = 512, most_bytes = 2 << 20;

}  // namespace

int read_host(const tun::HostTun& tun, Outbound& outbound, const std::atomic<Nanos>& played_at, bool slept) {
  size_t bytes = 0;
  int length = 1;
  for (size_t packets = 0; bytes < most_bytes && packets < most_in_play && length > 0; packets++) {
    if (packets == most_packets && !plays(read_clocks().boot_ns, played_at)) break;
    offload::Offload offload;
    length = tun.read(outbound.room(), offload);
    const bool alone = slept && packets == 0 && length > 0 && outbound.send_alone(static_cast<size_t>(length), offload);
    if (length > 0 && !alone) outbound.arrived(static_cast<size_t>(length), offload);
    bytes += static_cast<size_t>(std::max(0, length));
  }
  outbound.admit();
  return length;
}

}  // namespace wg
