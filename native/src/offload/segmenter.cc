#include "segmenter.h"

#include "checksum.h"

namespace wg::offload {
namespace {

constexpr size_t ip4_header = 20, ip6_header = 40, tcp_header = 20, udp_header = 8;
constexpr uint8_t tcp_fin = 0x01, tcp_psh = 0x08, tcp_cwr = 0x80;

// Length of the TCP header, 0 when it does not fit.
size_t tcp_length(ByteView transport) {
  if (transport.size() < tcp_header) return 0;
  const size_t length = size_t{transport[12]} >> 4 << 2;
  return length >= tcp_header && length <= transport.size() ? length : 0;
}

bool is_ip(ByteView frame, size_t transport) {
  if (frame.size() < ip4_header || transport > frame.size()) return false;
  const uint8_t version = frame[0] >> 4;
  if (version == 4) return transport >= ip4_header && (frame[0] & 0xfu) * 4 == transport;
  return version == 6 && transport >= ip6_header;
}

}  // namespace

bool complete_checksum(ByteSpan packet, const Offload& offload) {
  if (offload.checksum_at == 0) return true;
  const size_t field = size_t{offload.checksum_at} + offload.checksum_offset;
  if (field + 2 > packet.size()) return false;
  const uint64_t sum = add_sum(packet.subspan(offload.checksum_at), 0);
  store_checksum(&packet[field], sum);
  // RFC 768: a computed zero is sent as all ones, because zero means none.
  if (load_be16(&packet[field]) == 0) store_be16(&packet[field], 0xffff);
  return true;
}

std::optional<Segmenter> Segmenter::begin(ByteView frame, const Offload& offload, size_t limit) {
  const size_t transport = offload.checksum_at;
  if (offload.segment == 0 || frame.size() > max_frame || !is_ip(frame, transport)) return std::nullopt;
  const bool tcp = offload.kind == Kind::tcp;
  const size_t own = tcp ? tcp_length(frame.subspan(transport)) : udp_header;
  const size_t headers = transport + own;
  if (own == 0 || headers >= frame.size() || headers >= limit) return std::nullopt;
  const size_t room = tcp ? limit - headers : max_frame;
  return Segmenter(frame, offload.kind, transport, headers, std::min<size_t>(offload.segment, room));
}

Segmenter Segmenter::take(size_t count) {
  const Segmenter taken = *this;
  at_ = std::min(at_ + count * segment_, frame_.size());
  index_ += count;
  return taken;
}

void Segmenter::next(uint8_t* out) {
  const size_t size = std::min(segment_, frame_.size() - at_);
  std::memcpy(out, frame_.data(), headers_);
  write_ip(out, headers_ + size);
  uint8_t* transport = out + transport_;
  const size_t length = headers_ + size - transport_;
  write_transport(transport, length, at_ + size == frame_.size());

  uint8_t* field = transport + (kind_ == Kind::tcp ? 16 : 6);
  store_be16(field, 0);
  uint64_t sum = pseudo_sum(out, kind_ == Kind::tcp ? protocol_tcp : protocol_udp, length);
  sum = add_sum({transport, headers_ - transport_}, sum);
  sum = copy_and_sum(out + headers_, frame_.subspan(at_, size), sum);
  store_checksum(field, sum);
  if (kind_ == Kind::udp && load_be16(field) == 0) store_be16(field, 0xffff);
  at_ += size;
  index_++;
}

void Segmenter::write_ip(uint8_t* ip, size_t length) const {
  if (ip[0] >> 4 == 6) {
    store_be16(ip + 4, static_cast<uint16_t>(length - ip6_header));
    return;
  }
  store_be16(ip + 2, static_cast<uint16_t>(length));
  store_be16(ip + 4, static_cast<uint16_t>(load_be16(ip + 4) + index_));
  store_be16(ip + 10, 0);
  store_checksum(ip + 10, add_sum({ip, transport_}, 0));
}

// Of TCP's flags CWR belongs to the first segment, FIN and PSH to the last (RFC 3168, section 6.1.2; RFC 9293).
void Segmenter::write_transport(uint8_t* transport, size_t length, bool last) const {
  if (kind_ == Kind::udp) {
    store_be16(transport + 4, static_cast<uint16_t>(length));
    return;
  }
  store_be32(transport + 4, static_cast<uint32_t>(load_be32(transport + 4) + index_ * segment_));
  if (!last) transport[13] &= static_cast<uint8_t>(~(tcp_fin | tcp_psh));
  if (index_ > 0) transport[13] &= static_cast<uint8_t>(~tcp_cwr);
}

}  // namespace wg::offload
