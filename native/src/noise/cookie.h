// mac1, mac2 and cookie replies (paper, section 5.4.4, 5.4.7 and 6.6): proof of address while under load.
#pragma once

#include <functional>
#include <optional>

#include "handshake.h"

namespace wg {

/// Fills its argument with random bytes.
using Random = std::function<void(ByteSpan)>;

constexpr Nanos cookie_lifetime = 120'000'000'000;

/// Our side as the one who is asked: checks macs, hands out cookies.
class CookieChecker {
 public:
  explicit CookieChecker(const Identity& own) : own_(own) {}

  /// `message` is an initiation or a response with both macs.
  bool mac1_valid(ByteView message) const;
  /// `source` is the address bytes of the sender; false when no secret is alive.
  bool mac2_valid(ByteView message, ByteView source, Nanos now) const;
  /// A cookie reply to `message`. Renews the secret every two minutes.
  Bytes<cookie_reply_size> reply(ByteView message, ByteView source, Nanos now,
                                 const Random& random);

 private:
  const Identity& own_;
  Key secret_;
  std::optional<Nanos> secret_since_;
};

/// Our side as the one who asks: one for each peer.
class CookieJar {
 public:
  /// Writes mac1, and mac2 when a fresh cookie is at hand, and remembers mac1.
  void sign(ByteSpan message, const RemoteIdentity& remote, Nanos now);
  /// Takes a cookie reply to the last signed message; false when it is not authentic.
  bool consume(std::span<const uint8_t, cookie_reply_size> message, const RemoteIdentity& remote, Nanos now);

 private:
  std::optional<Mac> last_mac1_;
  Mac cookie_{};
  std::optional<Nanos> received_;
};

}  // namespace wg
