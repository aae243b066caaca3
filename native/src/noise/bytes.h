// Byte views, fixed arrays and secrets that erase themselves.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace wg {

/// Nanoseconds of a clock that only rises; the caller's choice which.
using Nanos = int64_t;

using ByteView = std::span<const uint8_t>;
using ByteSpan = std::span<uint8_t>;

template <size_t N>
using Bytes = std::array<uint8_t, N>;

/// Not std::ranges::copy: libstdc++ 12 copies from constant bytes one by one, which cost a packet more than all else on its way
/// from the host.
inline void copy_bytes(ByteView from, uint8_t* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

/// Erases memory in a way the compiler may not remove.
void erase(void* data, size_t length);

/// Key material of N bytes: erased when it goes.
template <size_t N>
class Secret {
 public:
  Secret() = default;
  explicit Secret(ByteView bytes) { std::copy_n(bytes.begin(), std::min(N, bytes.size()), value_.begin()); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { erase(value_.data(), N); }

  uint8_t* data() { return value_.data(); }
  const uint8_t* data() const { return value_.data(); }
  static constexpr size_t size() { return N; }
  operator ByteView() const { return value_; }
  ByteSpan span() { return value_; }

 private:
  Bytes<N> value_{};
};

using Key = Secret<32>;
using PublicKey = Bytes<32>;

inline uint16_t load_be16(const uint8_t* p) { return static_cast<uint16_t>((p[0] << 8) | p[1]); }
inline uint32_t load_be32(const uint8_t* p) {
  return (uint32_t{p[0]} << 24) | (uint32_t{p[1]} << 16) | (uint32_t{p[2]} << 8) | p[3];
}
inline uint32_t load_le32(const uint8_t* p) {
  return p[0] | (uint32_t{p[1]} << 8) | (uint32_t{p[2]} << 16) | (uint32_t{p[3]} << 24);
}
inline uint64_t load_le64(const uint8_t* p) { return load_le32(p) | (uint64_t{load_le32(p + 4)} << 32); }

inline void store_be16(uint8_t* p, uint16_t v) {
  p[0] = static_cast<uint8_t>(v >> 8);
  p[1] = static_cast<uint8_t>(v);
}
inline void store_be32(uint8_t* p, uint32_t v) {
  store_be16(p, static_cast<uint16_t>(v >> 16));
  store_be16(p + 2, static_cast<uint16_t>(v));
}
inline void store_be64(uint8_t* p, uint64_t v) {
  store_be32(p, static_cast<uint32_t>(v >> 32));
  store_be32(p + 4, static_cast<uint32_t>(v));
}
// Without a loop, which compilers make one store of.
inline void store_le32(uint8_t* p, uint32_t v) {
  p[0] = static_cast<uint8_t>(v);
  p[1] = static_cast<uint8_t>(v >> 8);
  p[2] = static_cast<uint8_t>(v >> 16);
  p[3] = static_cast<uint8_t>(v >> 24);
}
inline void store_le64(uint8_t* p, uint64_t v) {
  store_le32(p, static_cast<uint32_t>(v));
  store_le32(p + 4, static_cast<uint32_t>(v >> 32));
}

}  // namespace wg
