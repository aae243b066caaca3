// Addresses and prefixes as text: what the TUN, the routing table and the sockets make of any string.
#include <cstdlib>
#include <string>

#include "../src/device/allowed_ips.h"
#include "../src/tun/linux_prefix.h"
#include "../src/udp/endpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto prefix = wg::tun::parse_prefix(text)) {
    if (!is_well_formed(*prefix) || !prefix->within(*prefix)) std::abort();
    // Whatever the TUN takes, the routing table takes as well.
    if (!wg::Prefix::parse(text)) std::abort();
  }
  wg::Prefix::parse(text);
  if (const auto endpoint = wg::Endpoint::parse(text, 1)) {
    const auto again = wg::Endpoint::parse(endpoint->ip(), endpoint->port());
    if (!again || !(*again == *endpoint)) std::abort();
  }
  return 0;
}
