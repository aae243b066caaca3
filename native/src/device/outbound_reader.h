// Takes from the host what waits in its TUN, a burst at a time.
#pragma once

#include <vector>

#include "../tun/host_tun.h"

namespace wg {

/// A packet from the host, or a frame that is still to be cut. A packet is sealed where it lies: the 16 bytes before it and the
/// 31 behind it are its holder's to write.
struct HostFrame {
  ByteSpan packet;
  offload::Offload offload;
};

class HostReader {
 public:
  /// Tuning: what is read before any of it is sent. One frame of the host's, so that a game's packet never waits in the TUN
  /// for longer than that takes to leave.
  static constexpr size_t burst_bytes = 65'536;
  static constexpr size_t burst_frames = 64;

  explicit HostReader(const tun::HostTun& tun);

  /// What waits, at most a burst; stays until the next call. The errno in `error` when the TUN is gone.
  std::span<HostFrame> read(int& error);
  /// Whether the last read took all there was.
  bool drained() const { return drained_; }

 private:
  const tun::HostTun& tun_;
  std::unique_ptr<uint8_t[]> memory_;
  std::vector<HostFrame> frames_;
  bool drained_ = true;
};

}  // namespace wg
