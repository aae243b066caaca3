#if defined(__linux__)
#include "../src/device/host_reader.h"

#include <fcntl.h>

#include "half.h"
#include "queue_packets.h"

using namespace wg;
using wg::test::Half;

namespace {

/// An interface in which more packets wait than are read in one go.
class FullHost {
 public:
  static constexpr size_t packets = 200;

  FullHost() {
    // Each write is a packet of its own.
    EXPECT_EQ(::pipe2(ends_, O_DIRECT | O_NONBLOCK), 0);
    EXPECT(::fcntl(ends_[1], F_SETPIPE_SZ, 1 << 20) > 0);
    const auto packet = test::inner_v4({.size = 1'400});
    for (size_t i = 0; i < packets; i++) EXPECT(::write(ends_[1], packet.data(), packet.size()) > 0);
  }
  ~FullHost() {
    for (const int end : ends_) ::close(end);
  }

  tun::HostTun tun() const { return *tun::HostTun::duplicate(ends_[0]); }
  size_t left() const {
    std::vector<uint8_t> bytes(2'048);
    size_t count = 0;
    while (::read(ends_[0], bytes.data(), bytes.size()) > 0) count++;
    return count;
  }

 private:
  int ends_[2];
};

}  // namespace

TEST("from the host: no more is read than leaves in one go, because the rest would be dropped") {
  const FullHost host;
  Half device(1);
  EXPECT_EQ(read_host(host.tun(), device.outbound, device.state.played_at, false), 1'400);
  EXPECT_EQ(host.left(), FullHost::packets - Sealing::max_bursts);
}

TEST("from the host: while somebody plays all is read, because a game's packet may be the last") {
  const FullHost host;
  Half device(1);
  device.state.played_at = read_clocks().boot_ns;
  EXPECT_EQ(read_host(host.tun(), device.outbound, device.state.played_at, false), 0);
  EXPECT_EQ(host.left(), size_t{0});
}
#endif
