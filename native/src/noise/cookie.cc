#include "cookie.h"

namespace wg {
namespace {

// Both messages that carry macs end in mac1 and mac2.
ByteView before_mac1(ByteView message) { return message.first(message.size() - 32); }
ByteView mac1_of(ByteView message) { return message.subspan(message.size() - 32, 16); }
ByteView before_mac2(ByteView message) { return message.first(message.size() - 16); }
ByteView mac2_of(ByteView message) { return message.last(16); }

}  // namespace

bool CookieChecker::mac1_valid(ByteView message) const {
  return equal(keyed_mac(own_.mac1_key, before_mac1(message)), mac1_of(message));
}

bool CookieChecker::mac2_valid(ByteView message, ByteView source, Nanos now) const {
  if (!secret_since_ || now - *secret_since_ >= cookie_lifetime) return false;
  const Mac cookie = keyed_mac(secret_, source);
  return equal(keyed_mac(cookie, before_mac2(message)), mac2_of(message));
}

Bytes<cookie_reply_size> CookieChecker::reply(ByteView message, ByteView source, Nanos now,
                                              const Random& random) {
  if (!secret_since_ || now - *secret_since_ >= cookie_lifetime) {
    random(secret_.span());
    secret_since_ = now;
  }
  Bytes<cookie_reply_size> out{};
  const ByteSpan view(out);
  store_le32(out.data(), static_cast<uint32_t>(MessageType::cookie_reply));
  std::copy_n(message.begin() + 4, 4, out.begin() + cookie_reply_at::receiver);  // the sender's index
  random(view.subspan(cookie_reply_at::nonce, 24));
  xaead_seal(own_.cookie_key, view.subspan(cookie_reply_at::nonce, 24), mac1_of(message), keyed_mac(secret_, source),
             view.subspan(cookie_reply_at::cookie, 32));
  return out;
}

void CookieJar::sign(ByteSpan message, const RemoteIdentity& remote, Nanos now) {
  const Mac mac1 = keyed_mac(remote.mac1_key, before_mac1(message));
  std::copy(mac1.begin(), mac1.end(), message.end() - 32);
  last_mac1_ = mac1;
  Mac mac2{};
  if (received_ && now - *received_ < cookie_lifetime) mac2 = keyed_mac(cookie_, before_mac2(message));
  std::copy(mac2.begin(), mac2.end(), message.end() - 16);
}

bool CookieJar::consume(std::span<const uint8_t, cookie_reply_size> message, const RemoteIdentity& remote, Nanos now) {
  using namespace cookie_reply_at;
  if (!last_mac1_) return false;
  Mac cookie;
  if (!xaead_open(remote.cookie_key, message.subspan(nonce, 24), *last_mac1_, message.subspan(cookie_reply_at::cookie, 32),
                  cookie)) {
    return false;
  }
  cookie_ = cookie;
  received_ = now;
  last_mac1_.reset();  // one reply for each message
  return true;
}

}  // namespace wg
