// The host's side of what peers sent: packets join frames on their way into the TUN, or become events without one.
#pragma once

#include "../offload/coalescer.h"
#include "../tun/host_tun.h"
#include "state.h"

namespace wg {

class HostWriter {
 public:
  /// `tun` may be missing: then packets become `packet` events.
  HostWriter(State& state, const tun::HostTun* tun);

  /// A whole inner packet; it must stay, and may change, until `flush`.
  void add(ByteSpan packet);
  void flush();

 private:
  void write(const offload::Coalescer::Frame& frame);
  void write_singly(const offload::Coalescer::Frame& frame);

  State& state_;
  const tun::HostTun* const tun_;
  offload::Coalescer coalescer_;
};

}  // namespace wg
