#include "mss.h"

namespace wg {
namespace {

constexpr size_t tcp_header = 20;
constexpr uint8_t syn_flag = 0x02;
constexpr uint8_t end_of_options = 0, no_operation = 1, mss_kind = 2, mss_length = 4;

// Offset of the TCP header of a whole packet or a first fragment; nothing for anything else.
std::optional<size_t> tcp_of_v4(ByteView packet) {
  if (packet[9] != ip::tcp || (load_be16(&packet[6]) & 0x1fff) != 0) return std::nullopt;
  return static_cast<size_t>(packet[0] & 15) * 4;
}

std::optional<size_t> tcp_of_v6(ByteView packet) {
  // Nearly every packet has no extension: look no further for what is plainly something else.
  if (packet[6] != ip::tcp && packet[6] > ip::destination_options) return std::nullopt;
  const auto layout = V6Layout::parse(packet);
  if (!layout || layout->upper_protocol != ip::tcp) return std::nullopt;
  return layout->upper_at;
}

// RFC 1624, equation 3. `odd`: the field straddles two of the sum's words.
uint16_t updated_checksum(uint16_t checksum, uint16_t before, uint16_t after, bool odd) {
  const auto swapped = [odd](uint16_t v) { return odd ? static_cast<uint16_t>(v << 8 | v >> 8) : v; };
  uint32_t sum = static_cast<uint16_t>(~checksum);
  sum += static_cast<uint16_t>(~swapped(before));
  sum += swapped(after);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void lower_mss(ByteSpan segment, uint16_t most) {
  const size_t end = std::min(static_cast<size_t>(segment[12] >> 4) * 4, segment.size());
  size_t at = tcp_header;
  while (at < end && segment[at] != end_of_options) {
    if (segment[at] == no_operation) {
      at++;
      continue;
    }
    if (at + 1 >= end || segment[at + 1] < 2) return;
    if (segment[at] == mss_kind && segment[at + 1] == mss_length && at + mss_length <= end) {
      const uint16_t announced = load_be16(&segment[at + 2]);
      if (announced <= most) return;
      const uint16_t checksum = load_be16(&segment[16]);
      store_be16(&segment[at + 2], most);
      store_be16(&segment[16], updated_checksum(checksum, announced, most, at % 2 != 0));
      return;
    }
    at += segment[at + 1];
  }
}

}  // namespace

void clamp_mss(ByteSpan packet, size_t limit) {
  const bool v4 = !packet.empty() && packet[0] >> 4 == 4;
  if (packet.size() < (v4 ? ip::v4_header : ip::v6_header)) return;
  const auto at = v4 ? tcp_of_v4(packet) : tcp_of_v6(packet);
  if (!at || *at < ip::v4_header || *at + tcp_header > packet.size() || !(packet[*at + 13] & syn_flag)) return;
  const size_t headers = (v4 ? ip::v4_header : ip::v6_header) + tcp_header;
  if (limit <= headers) return;
  lower_mss(packet.subspan(*at), static_cast<uint16_t>(std::min<size_t>(limit - headers, 0xffff)));
}

}  // namespace wg
