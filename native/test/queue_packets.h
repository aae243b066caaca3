// Inner packets for the tests of the queue.
#pragma once

#include "../src/queue/classify.h"

#include <vector>

namespace wg::test {

struct InnerPacket {
  size_t size = 100;
  uint8_t code_point = 0;
  uint8_t protocol = 17;
  uint16_t source_port = 1'000, destination_port = 2'000;
  uint16_t fragment = 0;
};

inline std::vector<uint8_t> inner_v4(const InnerPacket& what) {
  std::vector<uint8_t> out(what.size);
  out[0] = 0x45;
  out[1] = static_cast<uint8_t>(what.code_point << 2);
  store_be16(&out[2], static_cast<uint16_t>(what.size));
  store_be16(&out[6], what.fragment);
  out[9] = what.protocol;
  store_be32(&out[12], 0x0a000001);
  store_be32(&out[16], 0x0a000002);
  store_be16(&out[20], what.source_port);
  store_be16(&out[22], what.destination_port);
  return out;
}

inline std::vector<uint8_t> inner_v6(const InnerPacket& what) {
  std::vector<uint8_t> out(what.size);
  store_be16(&out[0], static_cast<uint16_t>(0x6000 | what.code_point << 6));
  store_be16(&out[4], static_cast<uint16_t>(what.size - 40));
  out[6] = what.protocol;
  out[23] = 1;
  out[39] = 2;
  store_be16(&out[40], what.source_port);
  store_be16(&out[42], what.destination_port);
  return out;
}

}  // namespace wg::test
