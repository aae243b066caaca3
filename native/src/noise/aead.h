// ChaCha20-Poly1305 (RFC 8439, section 2.8) for many packets under one key.
#pragma once

#include "bytes.h"

namespace wg {

/// One key; not for two threads at once. Allocates nothing.
class Aead {
 public:
  static constexpr size_t tag_size = 16;

  explicit Aead(ByteView key) { set_key(key); }
  ~Aead();

  /// From now on with this key.
  void set_key(ByteView key);
  /// Erases it: one who seals and opens under many keys must not keep the last one longer than its session does.
  void forget_key();

  /// Seals `text` in place and writes the tag behind it: `text.data()` has room for 16 bytes more.
  void seal(const Bytes<12>& nonce, ByteView aad, ByteSpan text);
  /// Opens in place `sealed` (tag last); false when it is not authentic, and then nothing has changed.
  bool open(const Bytes<12>& nonce, ByteView aad, ByteSpan sealed);

  /// WireGuard's nonce: 32 zero bits and a little-endian counter.
  static Bytes<12> counter_nonce(uint64_t counter) {
    Bytes<12> nonce{};
    store_le64(nonce.data() + 4, counter);
    return nonce;
  }

 private:
  /// Key stream made ahead, as much as the widest assembler makes at once: its first block is the key of the tag. What lies
  /// beyond it is enciphered in place.
  static constexpr size_t block = 64, stream_size = 16 * block;

  void begin(const Bytes<12>& nonce, size_t length);
  void apply(ByteSpan text);
  Bytes<tag_size> tag(ByteView aad, ByteView sealed);

  std::array<uint32_t, 8> key_;
  /// Block counter and nonce (RFC 8439, section 2.3).
  std::array<uint32_t, 4> counter_;
  alignas(64) Bytes<stream_size> stream_;
  alignas(64) Bytes<512> authenticator_;
};

}  // namespace wg
