// Inner packets that must become smaller: fragments are whole packets of at most the limit, and carry every byte of what was
// cut exactly once; a segment size is lowered in place and nothing else moves.
#include <cstdlib>

#include "../src/device/allowed_ips.h"
#include "../src/device/fragment.h"
#include "../src/device/mss.h"
#include "input.h"

namespace {

using namespace wg;

void expect(bool condition) {
  if (!condition) std::abort();
}

void cut(ByteView packet, size_t limit) {
  const Fragmenter fragments(packet, limit, 7);
  std::vector<uint8_t> out(limit);
  size_t total = 0;
  for (size_t i = 0; i < fragments.count(); i++) {
    const size_t length = fragments.write(i, out);
    expect(length <= limit);
    const auto header = InnerHeader::parse(ByteView(out).first(length));
    expect(header && header->length == length);
    size_t headers = static_cast<size_t>(out[0] & 15) * 4;
    if (!header->v4) {
      const auto layout = V6Layout::parse(ByteView(out).first(length));
      expect(layout && layout->upper_protocol == ip::fragment);
      headers = layout->upper_at + ip::v6_fragment_header;
    }
    expect(length > headers);
    total += length - headers;
  }
  expect(total <= packet.size());
}

void clamp(std::vector<uint8_t> packet, size_t limit) {
  if (!InnerHeader::parse(packet)) return;
  const std::vector<uint8_t> before = packet;
  clamp_mss(packet, limit);
  size_t changed = 0;
  for (size_t i = 0; i < packet.size(); i++) changed += packet[i] != before[i];
  expect(changed <= 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  wg::fuzz::Input input(data, size);
  const size_t limit = input.number() % 1'500;
  const std::vector<uint8_t> packet = input.block(4'096);
  cut(packet, limit);
  clamp(packet, limit);
  return 0;
}
