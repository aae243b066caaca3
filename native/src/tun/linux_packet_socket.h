// A packet socket that sees nothing but broadcasts which this host sends.
#pragma once

#include <cstdint>
#include <span>

#include "linux_fd.h"
#include "linux_status.h"

namespace wg::tun {

/// Longest captured packet: a jumbo frame. What is longer is passed over.
inline constexpr size_t max_captured = 9'216;

/// IPv4 UDP on its way out, to 255.255.255.255 or, on Ethernet and its like, to every station; the filter is locked. It
/// receives nothing before `start_capture`. Needs CAP_NET_RAW. Whoever holds it may also send frames, so a privileged
/// process keeps it to itself.
Status open_packet_socket(Fd& socket);

/// On all interfaces, those that come later too. Needs no right.
Status start_capture(int socket);

/// One captured IP packet without waiting: its length, 0 when none waits, -1 for one that is not to be copied (it left by
/// interface `except`, or is too long), -2 when the socket has ended. Reads the other end of a relaying pair as well.
int read_captured(int socket, int except, std::span<uint8_t> out);

}  // namespace wg::tun
