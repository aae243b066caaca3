// What the helper does for whoever may start it. It guards against a user who wants more than a room.
#pragma once

#include "../src/tun/linux_helper_wire.h"

namespace warren::helper {

/// Empty (the helper chooses) or `warren` and at most two digits.
bool permits_name(const std::string& name);

/// A host's address in a room: /20 or /32 in 10.64.0.0/10, /64 or /128 in fd00::/8.
bool permits_address(const wg::tun::Prefix& address);

/// A room's prefix, one member (/32, /128), limited broadcast, or multicast within 224.0.0.0/4. Never more.
bool permits_route(const wg::tun::Prefix& route);

bool permits(const wg::tun::Request& request);

}  // namespace warren::helper
