// The Internet checksum (RFC 1071). Sums are unfolded and in the machine's byte order; pieces but the last are even in length.
#pragma once

#include "../noise/bytes.h"

namespace wg::offload {

constexpr uint8_t protocol_tcp = 6, protocol_udp = 17;

uint64_t add_sum(ByteView bytes, uint64_t sum);
/// Copies on the way: the data is touched once.
uint64_t copy_and_sum(uint8_t* to, ByteView from, uint64_t sum);
/// Of the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1) of the IP packet at `ip` with `length` bytes of transport.
uint64_t pseudo_sum(const uint8_t* ip, uint8_t protocol, size_t length);
/// To 16 bits.
uint16_t fold(uint64_t sum);
/// Writes the folded sum, or its complement: a complete checksum.
void store_sum(uint8_t* field, uint64_t sum);
void store_checksum(uint8_t* field, uint64_t sum);

}  // namespace wg::offload
