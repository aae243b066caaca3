// Leaves the helper nothing but CAP_NET_ADMIN.
#pragma once

namespace warren::helper {

/// Closes every descriptor but the socket (standard input), points output at /dev/null, forgets the environment.
/// False when standard input is not a SOCK_SEQPACKET Unix socket.
bool enter_clean_room();

/// For good: no new privileges, not dumpable, the user of the process at the other end (never root), no capability but
/// CAP_NET_ADMIN, and that only where it was there. False when any of it could not be done.
bool drop_rights();

}  // namespace warren::helper
