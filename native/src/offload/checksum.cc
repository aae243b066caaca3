#include "checksum.h"

namespace wg::offload {
namespace {

using Wide = unsigned __int128;

template <typename T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Carries beyond 64 bits come back in at the bottom.
uint64_t narrow(Wide sum) {
  sum = (sum & ~uint64_t{0}) + (sum >> 64);
  return static_cast<uint64_t>(sum) + static_cast<uint64_t>(sum >> 64);
}

// Two sums, so that one addition does not wait for the last.
template <bool copies>
uint64_t walk(uint8_t* to, ByteView from, uint64_t sum) {
  Wide even = sum, odd = 0;
  const uint8_t* p = from.data();
  size_t left = from.size();
  for (; left >= 16; p += 16, left -= 16) {
    const auto first = load<uint64_t>(p), second = load<uint64_t>(p + 8);
    even += first;
    odd += second;
    if constexpr (copies) {
      std::memcpy(to, &first, 8);
      std::memcpy(to + 8, &second, 8);
      to += 16;
    }
  }
  uint8_t tail[16] = {};
  if (left > 0) std::memcpy(tail, p, left);
  if constexpr (copies) {
    if (left > 0) std::memcpy(to, p, left);
  }
  even += load<uint64_t>(tail);
  odd += load<uint64_t>(tail + 8);
  return narrow(even + odd);
}

}  // namespace

uint64_t add_sum(ByteView bytes, uint64_t sum) { return walk<false>(nullptr, bytes, sum); }

uint64_t copy_and_sum(uint8_t* to, ByteView from, uint64_t sum) { return walk<true>(to, from, sum); }

uint64_t pseudo_sum(const uint8_t* ip, uint8_t protocol, size_t length) {
  uint8_t tail[8] = {};
  store_be32(tail, static_cast<uint32_t>(length));
  tail[7] = protocol;
  const bool v4 = ip[0] >> 4 == 4;
  return add_sum(tail, v4 ? add_sum({ip + 12, 8}, 0) : add_sum({ip + 8, 32}, 0));
}

uint16_t fold(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

void store_sum(uint8_t* field, uint64_t sum) {
  const uint16_t folded = fold(sum);
  std::memcpy(field, &folded, 2);
}

void store_checksum(uint8_t* field, uint64_t sum) { store_sum(field, static_cast<uint16_t>(~fold(sum))); }

}  // namespace wg::offload
