#include "fragment.h"

#include "allowed_ips.h"

namespace wg {
namespace {

constexpr uint16_t more_fragments = 0x2000, offset_bits = 0x1fff;
constexpr size_t longest_datagram = 65'535;

uint16_t header_checksum(ByteView header) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < header.size(); i += 2) sum += load_be16(&header[i]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Later fragments carry only options with the copied flag; the others become no-operations, so that the header keeps its
// length (RFC 791, 3.1).
void keep_copied_options(ByteSpan options) {
  constexpr uint8_t end_of_list = 0, no_operation = 1, copied = 0x80;
  size_t at = 0;
  while (at < options.size() && options[at] != end_of_list) {
    const size_t length = options[at] == no_operation || at + 1 == options.size() ? 1 : options[at + 1];
    const size_t end = std::min(at + std::max<size_t>(length, 1), options.size());
    if (!(options[at] & copied)) std::fill(options.begin() + at, options.begin() + end, no_operation);
    at = end;
  }
}

}  // namespace

Fragmenter::Fragmenter(ByteView packet, size_t limit, uint32_t identification)
    : packet_(packet), identification_(identification), v4_(!packet.empty() && packet[0] >> 4 == 4) {
  const auto inner = InnerHeader::parse(packet);
  if (!inner) return;
  packet_ = packet.first(inner->length);
  if (v4_) {
    lay_out_v4(limit);
  } else {
    lay_out_v6(limit);
  }
}

void Fragmenter::lay_out_v4(size_t limit) {
  header_ = payload_at_ = static_cast<size_t>(packet_[0] & 15) * 4;
  if (header_ >= limit) return;
  const uint16_t field = load_be16(&packet_[6]);
  offset_ = size_t{static_cast<uint16_t>(field & offset_bits)} * 8;
  more_ = field & more_fragments;
  if (offset_ > 0 || more_) identification_ = load_be16(&packet_[4]);
  cut(limit - header_);
}

void Fragmenter::lay_out_v6(size_t limit) {
  const auto layout = V6Layout::parse(packet_);
  if (!layout) return;
  header_ = payload_at_ = layout->repeated;
  next_at_ = layout->repeated_next_at;
  next_ = packet_[next_at_];
  if (next_ == ip::fragment) {
    const uint8_t* own = &packet_[header_];
    next_ = own[0];
    const uint16_t field = load_be16(own + 2);
    offset_ = field & ~size_t{7};
    more_ = field & 1;
    identification_ = load_be32(own + 4);
    payload_at_ += ip::v6_fragment_header;
  }
  if (header_ + ip::v6_fragment_header >= limit) return;
  cut(limit - header_ - ip::v6_fragment_header);
}

void Fragmenter::cut(size_t room) {
  const size_t payload = packet_.size() - payload_at_;
  piece_ = room & ~size_t{7};
  if (piece_ == 0 || payload == 0 || offset_ + payload > longest_datagram) return;
  count_ = (payload + piece_ - 1) / piece_;
}

size_t Fragmenter::write(size_t index, ByteSpan out) const {
  const size_t from = index * piece_;
  const size_t length = std::min(piece_, packet_.size() - payload_at_ - from);
  const bool more = more_ || index + 1 < count_;
  const size_t offset = offset_ + from;
  std::copy_n(packet_.begin(), header_, out.begin());
  size_t at = header_;
  if (v4_) {
    store_be16(&out[2], static_cast<uint16_t>(header_ + length));
    store_be16(&out[4], static_cast<uint16_t>(identification_));
    store_be16(&out[6], static_cast<uint16_t>((more ? more_fragments : 0) | offset / 8));
    if (offset > 0) keep_copied_options(out.subspan(ip::v4_header, header_ - ip::v4_header));
    store_be16(&out[10], 0);
    store_be16(&out[10], header_checksum(out.first(header_)));
  } else {
    store_be16(&out[4], static_cast<uint16_t>(header_ - ip::v6_header + ip::v6_fragment_header + length));
    out[next_at_] = ip::fragment;
    out[at] = next_;
    out[at + 1] = 0;
    store_be16(&out[at + 2], static_cast<uint16_t>(offset | (more ? 1 : 0)));
    store_be32(&out[at + 4], identification_);
    at += ip::v6_fragment_header;
  }
  std::copy_n(packet_.begin() + payload_at_ + from, length, out.begin() + at);
  return at + length;
}

}  // namespace wg
