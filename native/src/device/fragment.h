// Cuts an inner packet that does not fit its path into ordinary fragments, as its source host would have: any WireGuard
// peer's host puts them together again (RFC 791, 3.2; RFC 8200, 4.5). DF is ignored, because nobody on the way to the host
// would be told: the limit is the tunnel's own.
#pragma once

#include "ip_layout.h"

namespace wg {

/// What an outer header takes of a path's MTU: IP, UDP, and WireGuard's own 32 bytes are left to the caller.
constexpr size_t outer_headers(bool v4) { return (v4 ? ip::v4_header : ip::v6_header) + 8; }

class Fragmenter {
 public:
  /// `packet` is one whole IP packet with complete checksums; it must stay. `limit` is the longest
  /// fragment. `identification` is for a packet that is whole: a fragment keeps its own.
  Fragmenter(ByteView packet, size_t limit, uint32_t identification);

  /// 0 when it cannot be cut: headers that are broken, or leave no room.
  size_t count() const { return count_; }
  /// Writes fragment `index` to `out`, which has room for `limit` bytes, and returns its length.
  size_t write(size_t index, ByteSpan out) const;

 private:
  void lay_out_v4(size_t limit);
  void lay_out_v6(size_t limit);
  void cut(size_t room);

  ByteView packet_;
  uint32_t identification_;
  bool v4_;
  size_t header_ = 0;      // bytes repeated in each fragment
  size_t payload_at_ = 0;  // what is cut
  size_t offset_ = 0;      // of that in the original payload
  bool more_ = false;      // behind the last fragment
  size_t piece_ = 0;       // payload of all but the last
  size_t count_ = 0;
  size_t next_at_ = 0;     // IPv6: the byte that names the fragment header
  uint8_t next_ = 0;       // IPv6: what is cut
};

}  // namespace wg
