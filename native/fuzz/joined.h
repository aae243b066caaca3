// Packets on their way through the coalescer, and the proof that nothing is lost, changed or reordered there: what it joins is
// cut again and compared with what went in.
#pragma once

#include <cstdlib>
#include <deque>
#include <vector>

#include "../src/offload/coalescer.h"
#include "../src/offload/segmenter.h"

namespace wg::fuzz {

class Joined {
 public:
  /// A whole IP packet.
  void add(ByteSpan packet) {
    waiting_.emplace_back(packet.begin(), packet.end());
    coalescer_.add(packet);
  }
  void finish() {
    coalescer_.flush();
    if (!waiting_.empty()) std::abort();
  }

 private:
  using Packet = std::vector<uint8_t>;

  void take(const offload::Coalescer::Frame& frame) {
    Packet whole;
    for (const ByteView part : frame.parts) {
      if (part.empty()) std::abort();
      whole.insert(whole.end(), part.begin(), part.end());
    }
    if (frame.offload.kind == offload::Kind::none) return expect(whole, 0);
    auto cut = offload::Segmenter::begin(whole, frame.offload, offload::max_frame);
    if (!cut || cut->count() != frame.parts.size() || cut->count() < 2) std::abort();
    const size_t headers = frame.parts[0].size() - frame.offload.segment;
    while (!cut->done()) {
      Packet packet(cut->next_length());
      cut->next(packet.data());
      expect(packet, headers);
    }
  }

  /// The first waiting packet of its flow is this one; `headers` is 0 for one that was not joined. Then every byte counts,
  /// otherwise checksums may be mended.
  void expect(const Packet& packet, size_t headers) {
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (!(headers == 0 ? *at == packet : same(*at, packet, headers))) continue;
      waiting_.erase(at);
      return;
    }
    std::abort();
  }

  static bool same(const Packet& before, const Packet& after, size_t headers) {
    if (before.size() != after.size()) return false;
    if (!std::equal(before.begin() + static_cast<ptrdiff_t>(headers), before.end(), after.begin() + static_cast<ptrdiff_t>(headers))) {
      return false;
    }
    const size_t addresses = before[0] >> 4 == 4 ? 12 : 8;
    const size_t transport = before[0] >> 4 == 4 ? 20 : 40;
    // Addresses, ports and, for TCP, the sequence number; for UDP the length.
    return std::equal(before.begin() + static_cast<ptrdiff_t>(addresses), before.begin() + static_cast<ptrdiff_t>(transport + 6),
                      after.begin() + static_cast<ptrdiff_t>(addresses));
  }

  std::deque<Packet> waiting_;
  offload::Coalescer coalescer_{true, true, [this](const offload::Coalescer::Frame& frame) { take(frame); }};
};

}  // namespace wg::fuzz
