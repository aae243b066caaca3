// Cuts a frame from the host into the packets that the wire carries, and completes their checksums.
#pragma once

#include <optional>

#include "../noise/bytes.h"
#include "offload.h"

namespace wg::offload {

/// Completes the checksum of a packet that is not to be cut. False when the field lies outside.
bool complete_checksum(ByteSpan packet, const Offload& offload);

/// The packets of one TSO or USO frame, in order.
class Segmenter {
 public:
  /// No TCP packet is longer than `limit`; datagrams keep their size. Nothing when the frame's headers do not hold together.
  /// The frame must stay.
  static std::optional<Segmenter> begin(ByteView frame, const Offload& offload, size_t limit);

  bool done() const { return at_ >= frame_.size(); }
  /// Packets in all, and the length of each but the last.
  size_t count() const { return (frame_.size() - headers_ + segment_ - 1) / segment_; }
  size_t longest() const { return std::min(headers_ + segment_, frame_.size()); }
  size_t last() const { return headers_ + (frame_.size() - headers_ - 1) % segment_ + 1; }
  size_t next_length() const { return headers_ + std::min(segment_, frame_.size() - at_); }
  /// The next `count` packets, which are then somebody else's to write.
  Segmenter take(size_t count);
  /// Writes the next packet, `next_length` bytes, to `out`.
  void next(uint8_t* out);

 private:
  Segmenter(ByteView frame, Kind kind, size_t transport, size_t headers, size_t segment)
      : frame_(frame), kind_(kind), transport_(transport), headers_(headers), segment_(segment), at_(headers) {}

  void write_ip(uint8_t* ip, size_t length) const;
  void write_transport(uint8_t* transport, size_t length, bool last) const;

  ByteView frame_;
  Kind kind_;
  size_t transport_, headers_, segment_;
  size_t at_;
  size_t index_ = 0;
};

}  // namespace wg::offload
