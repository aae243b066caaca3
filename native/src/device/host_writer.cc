#include "host_writer.h"

#include <cerrno>

#include "../offload/segmenter.h"

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
  if (error == EINVAL && frame.offload.kind != offload::Kind::none) {
    // A kernel that does not take what it said it takes: no other frame is tried.
    coalescer_.stop(frame.offload.kind);
    write_singly(frame);
  } else {
    state_.tx_dropped += frame.parts.size();
  }
}

// The packets that it was joined of.
void HostWriter::write_singly(const offload::Coalescer::Frame& frame) {
  std::vector<uint8_t> whole;
  for (const ByteView part : frame.parts) whole.insert(whole.end(), part.begin(), part.end());
  auto cut = offload::Segmenter::begin(whole, frame.offload, offload::max_frame);
  std::vector<uint8_t> bytes(offload::max_frame);
  while (cut && !cut->done()) {
    const ByteView packet(bytes.data(), cut->next_length());
    cut->next(bytes.data());
    if (tun_->write({&packet, 1}, {}) != 0) state_.tx_dropped++;
  }
}

}  // namespace wg
