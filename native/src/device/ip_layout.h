// Where the parts of an inner IP packet are. Bytes from the host and from peers: every length is checked.
#pragma once

#include <optional>

#include "../noise/bytes.h"

namespace wg {

namespace ip {
constexpr uint8_t hop_by_hop = 0, tcp = 6, routing = 43, fragment = 44, destination_options = 60;
constexpr size_t v4_header = 20, v6_header = 40, v6_fragment_header = 8;
}  // namespace ip

/// An IPv6 packet's chain of headers (RFC 8200, 4).
struct V6Layout {
  /// Length of the part that every fragment repeats: through the last hop-by-hop or routing header.
  size_t repeated;
  /// Where the byte is that names the header behind that part.
  size_t repeated_next_at;
  /// The first header that is no extension, or a fragment header.
  uint8_t upper_protocol;
  size_t upper_at;

  /// Nothing when a header reaches beyond the packet.
  static std::optional<V6Layout> parse(ByteView packet);
};

}  // namespace wg
