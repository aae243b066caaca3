// Inner IP packets: whatever parses lies wholly within its bytes, and is found by the prefix that holds its address.
#include <cstdlib>
#include <vector>

#include "../src/device/allowed_ips.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> packet(data, data + size);
  const auto header = wg::InnerHeader::parse(packet);
  if (!header) return 0;
  if (header->length > size || header->length < (header->v4 ? 20u : 40u)) std::abort();
  for (const wg::ByteView address : {header->source, header->destination}) {
    if (address.size() != (header->v4 ? 4u : 16u)) std::abort();
    if (address.data() < packet.data() || address.data() + address.size() > packet.data() + size) std::abort();
    wg::Prefix host{header->v4, {}, static_cast<uint8_t>(address.size() * 8)};
    std::copy(address.begin(), address.end(), host.address.begin());
    const auto owner = reinterpret_cast<wg::Peer*>(&host);  // only compared, never followed
    wg::AllowedIps routes;
    routes.insert(host, owner);
    if (routes.find(header->v4, address) != owner) std::abort();
  }
  return 0;
}
