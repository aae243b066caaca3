// TCP through the tunnel: segments that fit the path need no fragments.
#pragma once

#include "ip_layout.h"

namespace wg {

/// Lowers the maximum segment size that a SYN announces (RFC 9293, 3.7.1) so that the answering side's packets have at most
/// `limit` bytes; the checksum follows. In both directions of a path: each side's segments are limited by what the other
/// announced. Anything else stays as it is. The checksum must be complete: an offloaded one is to be filled in first.
void clamp_mss(ByteSpan packet, size_t limit);

}  // namespace wg
