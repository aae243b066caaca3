#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <bit>
#include <cstdlib>
#include <memory>

namespace wg {
namespace {

template <auto Function>
struct Deleter {
  template <typename T>
  void operator()(T* value) const {
    Function(value);
  }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using DeriveContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;

// A primitive that cannot even be set up leaves nothing safe to do.
void require(bool ok) {
  if (!ok) std::abort();
}

// Algorithms fetched once a process. The host has an OpenSSL of its own: ours reads no configuration and registers no
// exit handler.
struct Algorithms {
  EVP_MD* blake2s;
  EVP_MAC* blake2s_mac;

  Algorithms() {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
    blake2s = EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr);
    blake2s_mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_BLAKE2SMAC, nullptr);
    require(blake2s && blake2s_mac);
  }
};

const Algorithms& algorithms() {
  static const Algorithms instance;
  return instance;
}

PrivateKey private_key_of(const Key& key) {
  algorithms();
  PrivateKey result(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, key.data(), key.size()));
  require(result != nullptr);
  return result;
}

}  // namespace

void erase(void* data, size_t length) { OPENSSL_cleanse(data, length); }

Hash blake2s(ByteView a, ByteView b) {
  thread_local DigestContext context(EVP_MD_CTX_new());
  Hash out;
  require(EVP_DigestInit_ex(context.get(), algorithms().blake2s, nullptr) == 1 &&
          EVP_DigestUpdate(context.get(), a.data(), a.size()) == 1 &&
          EVP_DigestUpdate(context.get(), b.data(), b.size()) == 1 &&
          EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
  return out;
}

Mac keyed_mac(ByteView key, ByteView a, ByteView b) {
  thread_local MacContext context(EVP_MAC_CTX_new(algorithms().blake2s_mac));
  Mac out;
  size_t size = out.size();
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  size_t written = 0;
  require(EVP_MAC_init(context.get(), key.data(), key.size(), parameters) == 1 &&
          EVP_MAC_update(context.get(), a.data(), a.size()) == 1 &&
          EVP_MAC_update(context.get(), b.data(), b.size()) == 1 &&
          EVP_MAC_final(context.get(), out.data(), &written, out.size()) == 1);
  return out;
}

// RFC 2104 over a hash with 64-byte blocks. Keys are never longer than a block here.
Hash hmac(ByteView key, ByteView a, ByteView b) {
  Secret<64> inner(key), outer(key);
  for (size_t i = 0; i < 64; i++) {
    inner.data()[i] ^= 0x36;
    outer.data()[i] ^= 0x5c;
  }
  thread_local DigestContext context(EVP_MD_CTX_new());
  Hash digest;
  require(EVP_DigestInit_ex(context.get(), algorithms().blake2s, nullptr) == 1 &&
          EVP_DigestUpdate(context.get(), inner.data(), inner.size()) == 1 &&
          EVP_DigestUpdate(context.get(), a.data(), a.size()) == 1 &&
          EVP_DigestUpdate(context.get(), b.data(), b.size()) == 1 &&
          EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return blake2s(outer, digest);
}

void kdf(ByteView chaining_key, ByteView input, std::span<Key*> outputs) {
  const Key secret{ByteView(hmac(chaining_key, input))};
  Key previous;
  for (size_t i = 0; i < outputs.size(); i++) {
    const uint8_t counter[1] = {static_cast<uint8_t>(i + 1)};
    previous = Key(ByteView(i == 0 ? hmac(secret, counter) : hmac(secret, previous, counter)));
    *outputs[i] = previous;
  }
}

bool equal(ByteView a, ByteView b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

void random_bytes(ByteSpan out) {
  algorithms();
  require(RAND_priv_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

PublicKey x25519_public(const Key& private_key) {
  PublicKey out;
  size_t length = out.size();
  require(EVP_PKEY_get_raw_public_key(private_key_of(private_key).get(), out.data(), &length) == 1);
  return out;
}

bool x25519(const Key& private_key, ByteView public_key, Key& shared) {
  const PrivateKey own = private_key_of(private_key);
  const PrivateKey peer(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, public_key.data(), public_key.size()));
  const DeriveContext context(EVP_PKEY_CTX_new(own.get(), nullptr));
  size_t length = shared.size();
  return peer && context && EVP_PKEY_derive_init(context.get()) == 1 &&
         EVP_PKEY_derive_set_peer(context.get(), peer.get()) == 1 &&
         EVP_PKEY_derive(context.get(), shared.data(), &length) == 1;
}

Key hchacha20(ByteView key, ByteView nonce16) {
  // "expand 32-byte k", key, nonce (draft-irtf-cfrg-xchacha-03, section 2.2)
  uint32_t x[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (size_t i = 0; i < 8; i++) x[4 + i] = load_le32(key.data() + 4 * i);
  for (size_t i = 0; i < 4; i++) x[12 + i] = load_le32(nonce16.data() + 4 * i);
  const auto quarter = [&x](int a, int b, int c, int d) {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
  };
  for (int round = 0; round < 10; round++) {
    quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
  }
  Key out;
  for (size_t i = 0; i < 4; i++) {
    store_le32(out.data() + 4 * i, x[i]);
    store_le32(out.data() + 16 + 4 * i, x[12 + i]);
  }
  erase(x, sizeof x);
  return out;
}

namespace {

bool seal_once(ByteView key, const Bytes<12>& nonce, ByteView aad, ByteView text, ByteSpan out) {
  if (out.size() != text.size() + Aead::tag_size) return false;
  std::copy(text.begin(), text.end(), out.begin());
  Aead(key).seal(nonce, aad, out.first(text.size()));
  return true;
}

bool open_once(ByteView key, const Bytes<12>& nonce, ByteView aad, ByteView sealed, ByteSpan out) {
  Bytes<160> work;  // fields of handshakes and cookies have at most 48 bytes
  if (sealed.size() > work.size() || sealed.size() != out.size() + Aead::tag_size) return false;
  std::copy(sealed.begin(), sealed.end(), work.begin());
  const bool authentic = Aead(key).open(nonce, aad, ByteSpan(work).first(sealed.size()));
  if (authentic) std::copy_n(work.begin(), out.size(), out.begin());
  erase(work.data(), work.size());
  return authentic;
}

Bytes<12> xnonce_tail(ByteView nonce24) {
  Bytes<12> nonce{};
  std::copy_n(nonce24.begin() + 16, 8, nonce.begin() + 4);
  return nonce;
}

}  // namespace

bool aead_seal(ByteView key, uint64_t counter, ByteView aad, ByteView text, ByteSpan out) {
  return seal_once(key, Aead::counter_nonce(counter), aad, text, out);
}
bool aead_open(ByteView key, uint64_t counter, ByteView aad, ByteView sealed, ByteSpan out) {
  return open_once(key, Aead::counter_nonce(counter), aad, sealed, out);
}
bool xaead_seal(ByteView key, ByteView nonce24, ByteView aad, ByteView text, ByteSpan out) {
  return seal_once(hchacha20(key, nonce24.first(16)), xnonce_tail(nonce24), aad, text, out);
}
bool xaead_open(ByteView key, ByteView nonce24, ByteView aad, ByteView sealed, ByteSpan out) {
  return open_once(hchacha20(key, nonce24.first(16)), xnonce_tail(nonce24), aad, sealed, out);
}

}  // namespace wg
