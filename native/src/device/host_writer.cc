#include "host_writer.h"

#include <cerrno>

namespace wg {

HostWriter::HostWriter(State& state, const tun::HostTun* tun)
    : state_(state),
      tun_(tun),
      coalescer_(tun && tun->offloads().tcp, tun && tun->offloads().udp,
                 [this](const offload::Coalescer::Frame& frame) { write(frame); }) {}

void HostWriter::add(ByteSpan packet) {
  if (tun_) {
    coalescer_.add(packet);
  } else {
    state_.events.push(EventType::packet, 0, packet);
  }
}

void HostWriter::flush() { coalescer_.flush(); }

void HostWriter::write(const offload::Coalescer::Frame& frame) {
  const int error = tun_->write(frame.parts, frame.offload);
  if (error == 0) return;
  state_.tx_dropped += frame.parts.size();
  // A kernel that does not take what it said it takes: one frame is lost, and no other is tried.
  if (error == EINVAL && frame.offload.kind != offload::Kind::none) coalescer_.stop(frame.offload.kind);
}

}  // namespace wg
