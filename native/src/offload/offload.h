// What is left to do on an IP packet between the host and us: a checksum to complete, segments to cut.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wg::offload {

enum class Kind : uint8_t { none, tcp, udp };

/// As in virtio's network header (virtio 1.2, section 5.1.6). `none` with `checksum_at` 0 is an ordinary packet.
struct Offload {
  Kind kind = Kind::none;
  /// Payload bytes of each segment but the last, unless `kind` is none.
  uint16_t segment = 0;
  /// Where the checksummed part begins: the transport header. Its field holds the pseudo header's sum. 0: complete.
  uint16_t checksum_at = 0;
  /// The field, from there.
  uint16_t checksum_offset = 0;
};

/// The largest IP packet, and so the largest frame.
constexpr std::size_t max_frame = 65'535;

}  // namespace wg::offload
