// The primitives of WireGuard: BLAKE2s, HMAC, X25519, ChaCha20-Poly1305 and its X variant (paper, section 5.4).
#pragma once

#include "aead.h"

namespace wg {

using Hash = Bytes<32>;
using Mac = Bytes<16>;

/// BLAKE2s-256 over the concatenation of two inputs.
Hash blake2s(ByteView a, ByteView b = {});

/// BLAKE2s keyed with up to 32 bytes, 16 bytes of output, over the concatenation of two inputs (RFC 7693).
Mac keyed_mac(ByteView key, ByteView a, ByteView b = {});

/// HMAC over BLAKE2s-256.
Hash hmac(ByteView key, ByteView a, ByteView b = {});

/// KDFn of the paper: fills `outputs` outputs from a chaining key and an input.
void kdf(ByteView chaining_key, ByteView input, std::span<Key*> outputs);

/// Constant-time comparison; false for different lengths.
bool equal(ByteView a, ByteView b);

/// Cryptographically strong random bytes.
void random_bytes(ByteSpan out);

/// The public key of an X25519 private key.
PublicKey x25519_public(const Key& private_key);

/// X25519; false when the result is all zero (a low-order point).
bool x25519(const Key& private_key, ByteView public_key, Key& shared);

/// RFC draft-irtf-cfrg-xchacha-03, section 2.2: a subkey from a key and the first 16 bytes of the nonce.
Key hchacha20(ByteView key, ByteView nonce16);

/// One-shot seal: `out` is 16 bytes longer than `text`.
bool aead_seal(ByteView key, uint64_t counter, ByteView aad, ByteView text, ByteSpan out);
/// One-shot open: `out` is 16 bytes shorter than `sealed`.
bool aead_open(ByteView key, uint64_t counter, ByteView aad, ByteView sealed, ByteSpan out);
/// XChaCha20-Poly1305 with a 24-byte nonce.
bool xaead_seal(ByteView key, ByteView nonce24, ByteView aad, ByteView text, ByteSpan out);
bool xaead_open(ByteView key, ByteView nonce24, ByteView aad, ByteView sealed, ByteSpan out);

}  // namespace wg
