#include "ip_layout.h"

namespace wg {

std::optional<V6Layout> V6Layout::parse(ByteView packet) {
  if (packet.size() < ip::v6_header) return std::nullopt;
  V6Layout out{ip::v6_header, 6, 0, 0};
  size_t next_at = 6, at = ip::v6_header;
  while (true) {
    const uint8_t next = packet[next_at];
    if (next != ip::hop_by_hop && next != ip::routing && next != ip::destination_options) {
      if (next == ip::fragment && at + ip::v6_fragment_header > packet.size()) return std::nullopt;
      out.upper_protocol = next;
      out.upper_at = at;
      return out;
    }
    if (at + 8 > packet.size()) return std::nullopt;
    const size_t end = at + (size_t{packet[at + 1]} + 1) * 8;
    if (end > packet.size()) return std::nullopt;
    next_at = at;
    at = end;
    if (next != ip::destination_options) {
      out.repeated = at;
      out.repeated_next_at = next_at;
    }
  }
}

}  // namespace wg
