// Which STUN messages are ours: those whose transaction we began (RFC 8489, section 5).
#pragma once

#include <map>

#include "../noise/bytes.h"

namespace wg::udp {

/// A whole STUN message by magic cookie, leading zero bits and exact length.
inline bool is_stun(ByteView datagram) {
  return datagram.size() >= 20 && (datagram[0] & 0xc0) == 0 && load_be32(datagram.data() + 4) == 0x2112a442 &&
         size_t{load_be16(datagram.data() + 2)} + 20 == datagram.size();
}

class StunTransactions {
 public:
  static constexpr double lifetime_ms = 40'000;  // RFC 8489, section 6.2.1: the last retransmission fails at 39.5 s
  static constexpr size_t max_outstanding = 4'096;

  /// Remembers the transaction when `datagram` is a STUN request.
  void sent(ByteView datagram, double now_ms) {
    const bool is_request = is_stun(datagram) && (load_be16(datagram.data()) & 0x0110) == 0;
    if (!is_request) return;
    if (expiry_.size() >= max_outstanding) forget_expired(now_ms);
    if (expiry_.size() >= max_outstanding) expiry_.erase(expiry_.begin());
    expiry_[id_of(datagram)] = now_ms + lifetime_ms;
  }

  bool outstanding(ByteView datagram, double now_ms) const {
    const auto entry = expiry_.find(id_of(datagram));
    return entry != expiry_.end() && now_ms < entry->second;
  }

 private:
  using Id = Bytes<12>;

  static Id id_of(ByteView datagram) {
    Id id;
    std::copy_n(datagram.begin() + 8, id.size(), id.begin());
    return id;
  }

  void forget_expired(double now_ms) {
    std::erase_if(expiry_, [now_ms](const auto& entry) { return entry.second <= now_ms; });
  }

  std::map<Id, double> expiry_;
};

}  // namespace wg::udp
