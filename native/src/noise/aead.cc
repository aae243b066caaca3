#include "aead.h"

#include <openssl/crypto.h>

#include <cstdlib>

// libcrypto's own two halves of the cipher (its crypto/chacha.h and crypto/poly1305.h, the same since 1.1.0), which is linked
// statically. EVP would make the key of the tag and the text's last bytes as blocks of their own, and look parameters up by name:
// for a packet that is a third of all work.
extern "C" {
struct poly1305_context;
void ChaCha20_ctr32(unsigned char* out, const unsigned char* in, size_t length, const unsigned int key[8],
                    const unsigned int counter[4]);
size_t Poly1305_ctx_size(void);
void Poly1305_Init(poly1305_context* context, const unsigned char key[32]);
void Poly1305_Update(poly1305_context* context, const unsigned char* in, size_t length);
void Poly1305_Final(poly1305_context* context, unsigned char mac[16]);
}

namespace wg {
namespace {

alignas(64) constexpr Bytes<1'024> zeros{};

// Two words at a time, which the compiler makes one.
void exclusive_or(uint8_t* to, const uint8_t* with, size_t length) {
#pragma GCC unroll 4
  for (; length >= 16; to += 16, with += 16, length -= 16) {
    uint64_t a[2], b[2];
    std::memcpy(a, to, 16);
    std::memcpy(b, with, 16);
    a[0] ^= b[0];
    a[1] ^= b[1];
    std::memcpy(to, a, 16);
  }
  for (size_t i = 0; i < length; i++) to[i] ^= with[i];
}

}  // namespace

Aead::~Aead() {
  forget_key();
  erase(stream_.data(), sizeof stream_);
  erase(authenticator_.data(), sizeof authenticator_);
}

void Aead::set_key(ByteView key) {
  static const bool fits = Poly1305_ctx_size() <= std::tuple_size_v<decltype(authenticator_)>;
  if (!fits) std::abort();
  for (size_t i = 0; i < key_.size(); i++) key_[i] = load_le32(&key[4 * i]);
}

void Aead::forget_key() { erase(key_.data(), sizeof key_); }

void Aead::begin(const Bytes<12>& nonce, size_t length) {
  counter_ = {0, load_le32(&nonce[0]), load_le32(&nonce[4]), load_le32(&nonce[8])};
  static_assert(zeros.size() == stream_size);
  const size_t blocks = std::min(stream_size / block, 1 + (length + block - 1) / block);
  ChaCha20_ctr32(stream_.data(), zeros.data(), blocks * block, key_.data(), counter_.data());
  Poly1305_Init(reinterpret_cast<poly1305_context*>(authenticator_.data()), stream_.data());
}

void Aead::apply(ByteSpan text) {
  const size_t made = std::min(text.size(), stream_size - block);
  exclusive_or(text.data(), &stream_[block], made);
  const ByteSpan rest = text.subspan(made);
  counter_[0] = stream_size / block;
  if (!rest.empty()) ChaCha20_ctr32(rest.data(), rest.data(), rest.size(), key_.data(), counter_.data());
}

Bytes<Aead::tag_size> Aead::tag(ByteView aad, ByteView sealed) {
  auto* context = reinterpret_cast<poly1305_context*>(authenticator_.data());
  // Padding to 16 bytes, and lengths behind the text's.
  Bytes<32> rest{};
  if (!aad.empty()) {
    Poly1305_Update(context, aad.data(), aad.size());
    Poly1305_Update(context, rest.data(), -aad.size() & 15);
  }
  Poly1305_Update(context, sealed.data(), sealed.size());
  const size_t padding = -sealed.size() & 15;
  store_le64(&rest[padding], aad.size());
  store_le64(&rest[padding + 8], sealed.size());
  Poly1305_Update(context, rest.data(), padding + 16);
  Bytes<tag_size> out;
  Poly1305_Final(context, out.data());
  return out;
}

void Aead::seal(const Bytes<12>& nonce, ByteView aad, ByteSpan text) {
  begin(nonce, text.size());
  apply(text);
  const Bytes<tag_size> made = tag(aad, text);
  copy_bytes(made, text.data() + text.size());
}

bool Aead::open(const Bytes<12>& nonce, ByteView aad, ByteSpan sealed) {
  if (sealed.size() < tag_size) return false;
  const ByteSpan text = sealed.first(sealed.size() - tag_size);
  begin(nonce, text.size());
  const Bytes<tag_size> made = tag(aad, text);
  if (CRYPTO_memcmp(made.data(), text.data() + text.size(), tag_size) != 0) return false;
  apply(text);
  return true;
}

}  // namespace wg
