#include "../src/noise/cookie.h"
#include "../src/noise/rate_limiter.h"
#include "../src/noise/replay.h"
#include "../src/noise/tai64n.h"
#include "check.h"

#include <openssl/evp.h>

#include <memory>
#include <string_view>
#include <vector>

using namespace wg;

namespace {

std::vector<uint8_t> hex(std::string_view text) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

ByteView ascii(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

bool same(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

}  // namespace

TEST("BLAKE2s: RFC 7693, appendix B") {
  EXPECT(same(blake2s(ascii("abc")), hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982")));
  EXPECT(same(blake2s(ascii("a"), ascii("bc")), blake2s(ascii("abc"))));
}

TEST("HChaCha20: draft-irtf-cfrg-xchacha-03, section 2.2.1") {
  const auto key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const auto nonce = hex("000000090000004a0000000031415927");
  EXPECT(same(hchacha20(key, nonce), hex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")));
}

TEST("XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03, appendix A.3.1") {
  const auto key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const auto nonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
  const auto aad = hex("50515253c0c1c2c3c4c5c6c7");
  const ByteView text = ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
  const auto expected = hex(
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
      "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13"
      "b52ec0875924c1c7987947deafd8780acf49");
  std::vector<uint8_t> sealed(text.size() + 16);
  EXPECT(xaead_seal(key, nonce, aad, text, sealed));
  EXPECT(same(sealed, expected));
  std::vector<uint8_t> opened(text.size());
  EXPECT(xaead_open(key, nonce, aad, sealed, opened));
  EXPECT(same(opened, text));
  sealed[3] ^= 1;
  EXPECT(!xaead_open(key, nonce, aad, sealed, opened));
}

TEST("ChaCha20-Poly1305 in place: RFC 8439, section 2.8.2") {
  const auto key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  Bytes<12> nonce;
  std::ranges::copy(hex("070000004041424344454647"), nonce.begin());
  const auto aad = hex("50515253c0c1c2c3c4c5c6c7");
  const ByteView text = ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
  std::vector<uint8_t> buffer(text.begin(), text.end());
  buffer.resize(text.size() + 16);
  Aead sealer(key), opener(key);
  // Twice: a context serves many packets.
  for (int round = 0; round < 2; round++) {
    sealer.seal(nonce, aad, ByteSpan(buffer).first(text.size()));
    EXPECT(same(ByteView(buffer).first(16), hex("d31a8d34648e60db7b86afbc53ef7ec2")));
    EXPECT(same(ByteView(buffer).last(16), hex("1ae10b594f09e26a7e902ecbd0600691")));
    std::vector<uint8_t> forged = buffer;
    forged.back() ^= 1;
    EXPECT(!opener.open(nonce, aad, forged));
    EXPECT(opener.open(nonce, aad, buffer));
    EXPECT(same(ByteView(buffer).first(text.size()), text));
  }
}

TEST("ChaCha20-Poly1305 of every length is what libcrypto's EVP makes of it") {
  const Key key{ByteView(hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"))};
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> evp(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Aead aead(key);
  std::vector<uint8_t> text(9'000);
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<uint8_t>(i * 31 + i / 256);
  for (size_t length = 0; length < text.size(); length += length < 4'500 ? 1 : 499) {
    const Bytes<12> nonce = Aead::counter_nonce(length + (uint64_t{1} << 40));
    const ByteView aad = ByteView(text).last(length % 40);
    std::vector<uint8_t> expected(length + 16), ours(text.begin(), text.begin() + static_cast<ptrdiff_t>(length));
    int written = 0;
    EVP_EncryptInit_ex(evp.get(), EVP_chacha20_poly1305(), nullptr, key.data(), nonce.data());
    EVP_EncryptUpdate(evp.get(), nullptr, &written, aad.data(), static_cast<int>(aad.size()));
    EVP_EncryptUpdate(evp.get(), expected.data(), &written, text.data(), static_cast<int>(length));
    EVP_EncryptFinal_ex(evp.get(), expected.data(), &written);
    EVP_CIPHER_CTX_ctrl(evp.get(), EVP_CTRL_AEAD_GET_TAG, 16, &expected[length]);
    ours.resize(length + 16);
    aead.seal(nonce, aad, ByteSpan(ours).first(length));
    EXPECT(same(ours, expected));
    EXPECT(aead.open(nonce, aad, ours));
    EXPECT(same(ByteView(ours).first(length), ByteView(text).first(length)));
  }
}

TEST("X25519: RFC 7748, section 5.2, and low-order points") {
  const Key scalar{ByteView(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"))};
  const auto point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  Key out;
  EXPECT(x25519(scalar, point, out));
  EXPECT(same(out, hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")));
  EXPECT(!x25519(scalar, std::vector<uint8_t>(32), out));
}

TEST("the replay window accepts each counter once, in any order, within 8192") {
  ReplayWindow window;
  EXPECT(window.accept(0));
  EXPECT(!window.accept(0));
  EXPECT(window.accept(9));
  EXPECT(window.accept(8));
  EXPECT(!window.accept(9));
  EXPECT(window.accept(8191));
  EXPECT(window.accept(1));
  EXPECT(window.accept(8192));   // 0 falls out, 1 is the oldest
  EXPECT(!window.accept(0));
  EXPECT(!window.accept(1));
  EXPECT(window.accept(2));
  EXPECT(window.accept(1'000'000));
  EXPECT(!window.accept(1'000'000 - 8192));
  EXPECT(window.accept(1'000'000 - 8191));
  EXPECT(!window.accept(1'000'000 - 8191));
}

TEST("the replay window agrees with a set on random traffic") {
  ReplayWindow window;
  std::vector<bool> seen(200'000);
  uint64_t highest = 0, state = 42;
  for (int i = 0; i < 300'000; i++) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const uint64_t jump = (state >> 33) % (i % 1000 == 0 ? 9'000 : 20);
    const uint64_t back = (state >> 45) % 12'000;
    const uint64_t counter = (state >> 60) < 8 ? std::min<uint64_t>(highest + jump, 199'999) : highest - std::min(back, highest);
    const bool expected = !seen[counter] && highest < counter + ReplayWindow::size;
    EXPECT(window.accept(counter) == expected);
    seen[counter] = true;
    highest = std::max(highest, counter);
  }
}

TEST("handshake timestamps rise strictly, also when the clock goes back") {
  Tai64nClock clock;
  Tai64n last = clock.stamp(1'700'000'000'500'000'000);
  EXPECT(same(ByteView(last).first(8), hex("400000006553f10a")));
  for (const int64_t wall : {1'700'000'000'500'000'001, 1'600'000'000'000'000'000, 1'700'000'000'500'000'002}) {
    const Tai64n next = clock.stamp(wall);
    EXPECT(next > last);
    last = next;
  }
}

TEST("the rate limiter lets a burst of 5 pass, then 20 a second, for each source alone") {
  RateLimiter limiter;
  Nanos now = 1'000'000'000;
  for (int i = 0; i < 5; i++) EXPECT(limiter.allow(1, now));
  EXPECT(!limiter.allow(1, now));
  EXPECT(limiter.allow(2, now));
  now += 50'000'000;
  EXPECT(limiter.allow(1, now));
  EXPECT(!limiter.allow(1, now));
}

TEST("cookies bind mac2 to a source and end after two minutes") {
  Key a_key, b_key;
  random_bytes(a_key.span());
  random_bytes(b_key.span());
  const Identity a(a_key), b(b_key);
  const auto b_seen = *RemoteIdentity::create(a, b.public_key);
  CookieChecker checker(b);
  CookieJar jar;
  Bytes<initiation_size> message{};
  const auto source = hex("7f000001"), elsewhere = hex("7f000002");
  Nanos now = 5'000'000'000;

  jar.sign(message, b_seen, now);
  EXPECT(checker.mac1_valid(message));
  EXPECT(!checker.mac2_valid(message, source, now));
  const auto reply = checker.reply(message, source, now, random_bytes);
  auto forged = reply;
  forged[40] ^= 1;
  EXPECT(!jar.consume(forged, b_seen, now));
  EXPECT(jar.consume(reply, b_seen, now));
  EXPECT(!jar.consume(reply, b_seen, now));
  jar.sign(message, b_seen, now);
  EXPECT(checker.mac2_valid(message, source, now));
  EXPECT(!checker.mac2_valid(message, elsewhere, now));
  now += cookie_lifetime;
  EXPECT(!checker.mac2_valid(message, source, now));
  jar.sign(message, b_seen, now);
  EXPECT(same(ByteView(message).last(16), Bytes<16>{}));
}
