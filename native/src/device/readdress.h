// Gives a broadcast that left by another interface the addresses that it would have had in the tunnel.
#pragma once

#include <functional>

#include "fanout_packet.h"

namespace wg {

/// Hands `emit` the UDP packet with other addresses and right checksums, cut into fragments where it is longer than `space`.
/// A whole datagram's checksum is computed anew, since the network card may have been meant to do it; a fragment's is adjusted
/// (RFC 1624). Nothing comes out for what is no UDP.
void readdress(const Ipv4Packet& packet, uint32_t source, uint32_t destination, ByteSpan space,
               const std::function<void(ByteView)>& emit);

}  // namespace wg
