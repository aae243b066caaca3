// Frames from the host, whose headers and offloads may lie: every packet stays within its bounds, and together they carry
// the frame's payload.
#include "../src/offload/segmenter.h"

#include <cstdlib>

#include "input.h"

namespace {

using namespace wg;
using namespace wg::offload;

void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Offload offload;
  offload.kind = static_cast<Kind>(input.byte() % 3);
  offload.segment = input.number();
  offload.checksum_at = input.number();
  offload.checksum_offset = input.number();
  const size_t limit = input.number();
  std::vector<uint8_t> frame = input.block(8'192);
  if (offload.kind == Kind::none) {
    complete_checksum(frame, offload);
    return 0;
  }
  auto segmenter = Segmenter::begin(frame, offload, limit);
  if (!segmenter) return 0;
  const size_t count = segmenter->count(), longest = segmenter->longest(), last = segmenter->last();
  require(count > 0 && last <= longest && (offload.kind == Kind::udp || longest <= limit));
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    require(!segmenter->done());
    std::vector<uint8_t> packet(segmenter->next_length());
    require(packet.size() == (i + 1 == count ? last : longest));
    segmenter->next(packet.data());
    sum += packet.size();
  }
  require(segmenter->done());
  if (count == 1) {
    require(sum == frame.size());
  } else {
    // What is more than the frame is its headers, once for each further packet.
    const size_t repeated = sum - frame.size();
    require(repeated % (count - 1) == 0 && repeated / (count - 1) < last);
  }
  return 0;
}
