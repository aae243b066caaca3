// Packets of peers with any headers: what becomes a frame is what came, in its flow's order.
#include "../src/device/allowed_ips.h"
#include "input.h"
#include "joined.h"

namespace {

using namespace wg;

/// The last packet again, as a sender would go on: most inputs would never build two that follow each other.
void go_on(std::vector<uint8_t>& packet) {
  const size_t transport = packet[0] >> 4 == 4 ? 20 : 40;
  if (packet.size() < transport + 20) return;
  store_be16(&packet[4], static_cast<uint16_t>(load_be16(&packet[4]) + (transport == 20 ? 1 : 0)));
  const size_t headers = transport + (size_t{packet[transport + 12]} >> 4 << 2);
  if (packet.size() <= headers) return;
  store_be32(&packet[transport + 4], load_be32(&packet[transport + 4]) + static_cast<uint32_t>(packet.size() - headers));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  std::vector<std::vector<uint8_t>> packets;
  while (!input.empty() && packets.size() < 200) {
    const uint8_t repeats = input.byte() % 32;
    std::vector<uint8_t> packet = input.block(2'048);
    for (int i = 0; i <= repeats; i++) {
      const auto header = InnerHeader::parse(packet);
      if (!header) break;
      packets.push_back(packet);
      packets.back().resize(header->length);
      go_on(packet);
    }
  }
  fuzz::Joined joined;
  for (auto& packet : packets) joined.add(packet);
  joined.finish();
  return 0;
}
