#include "outbound_reader.h"

#include "../noise/messages.h"

namespace wg {
namespace {

/// Padding and tag behind a packet, and the alignment of the next.
constexpr size_t behind = 15 + 16 + 15;
constexpr size_t frame_room = data_header_size + tun::HostTun::max_read + behind;

}  // namespace

HostReader::HostReader(const tun::HostTun& tun) : tun_(tun), memory_(new uint8_t[burst_bytes + frame_room]) {
  frames_.reserve(burst_frames);
}

std::span<HostFrame> HostReader::read(int& error) {
  frames_.clear();
  error = 0;
  drained_ = false;
  size_t used = 0;
  while (used < burst_bytes && frames_.size() < burst_frames) {
    HostFrame frame;
    uint8_t* packet = &memory_[used + data_header_size];
    const int length = tun_.read({packet, tun::HostTun::max_read}, frame.offload);
    drained_ = length == 0;
    if (length < 0) error = -length;
    if (length <= 0) break;
    frame.packet = {packet, static_cast<size_t>(length)};
    frames_.push_back(frame);
    used += (data_header_size + frame.packet.size() + behind) & ~size_t{15};
  }
  return frames_;
}

}  // namespace wg
