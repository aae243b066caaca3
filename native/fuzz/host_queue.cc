// The queue between host and peers: any frames in any order, for any peers, with little room. What goes in comes out once, in
// the order of its flow, or is dropped and counted; no place is lost.
#include <cstdlib>
#include <map>

#include "../src/device/host_queue.h"
#include "input.h"

namespace {

using namespace wg;
using fuzz::Input;

constexpr HostQueueOptions places{6, 24};
constexpr uint64_t seed = 1;

void require(bool condition) {
  if (!condition) std::abort();
}

class Host {
 public:
  void step(Input& input) {
    switch (input.byte() % 4) {
      case 0: return arrive(input);
      case 1: return express();
      case 2: return bulk(input);
      default: now_ += Nanos{input.number()} * 100'000; return;
    }
  }

  void finish() {
    const queue::FairQueue::Gate open = [](uint32_t) { return ~size_t{0}; };
    while (const auto burst = queue_.pop_express(now_)) leave(*burst);
    while (const auto burst = queue_.pop_bulk(now_, open, ~size_t{0})) leave(*burst);
    require(queue_.express().empty() && queue_.bulk().empty());
    require(left_ + queue_.express().dropped() + queue_.bulk().dropped() == came_);
    // Every place can be taken again.
    for (size_t i = 0; i < places.packets; i++) require(queue_.keep(100, {}).has_value());
  }

 private:
  void arrive(Input& input) {
    const auto peer = static_cast<uint32_t>(input.byte() % 5);
    offload::Offload offload;
    const uint8_t kind = input.byte();
    if (kind & 1) {
      offload.kind = kind & 2 ? offload::Kind::tcp : offload::Kind::udp;
      offload.segment = input.number();
      offload.checksum_at = kind & 4 ? 20 : 40;
      offload.checksum_offset = kind & 2 ? 16 : 6;
    }
    const std::vector<uint8_t> bytes = input.block(4'096);
    std::ranges::copy(bytes, queue_.room().begin());
    const auto slot = queue_.keep(bytes.size(), offload);
    require(slot.has_value());
    HostFrame& frame = queue_[*slot];
    require(std::ranges::equal(frame.packet, bytes));
    const bool whole = offload.kind != offload::Kind::none;
    if (!whole && !offload::complete_checksum(frame.packet, offload)) return queue_.free(*slot);
    const queue::Class what = queue::classify(frame.packet, whole, seed);
    queue::Packet packet{.peer = peer, .flow = what.flow, .bytes = static_cast<uint32_t>(bytes.size() + 32)};
    if (whole) {
      frame.cut = offload::Segmenter::begin(frame.packet, offload, 1'280);
      if (!frame.cut) return queue_.free(*slot);
      packet.segments = static_cast<uint32_t>(frame.cut->count());
      packet.segment_bytes = static_cast<uint32_t>(frame.cut->longest());
      packet.bytes = static_cast<uint32_t>((packet.segments - 1) * packet.segment_bytes + frame.cut->last());
    }
    came_ += packet.segments;
    serial_[*slot] = ++last_serial_;
    flow_[*slot] = {peer, what.flow};
    queue_.push(now_, *slot, what, packet, (kind & 8) != 0);
  }

  void express() {
    const auto burst = queue_.pop_express(now_);
    if (!burst) return;
    require(!queue_.bulk().holds(burst->peer, flow_[burst->slot].second));
    leave(*burst);
  }

  void bulk(Input& input) {
    const uint8_t closed = input.byte();
    const size_t most = 1 + input.number();
    const queue::FairQueue::Gate gate = [closed](uint32_t peer) { return closed >> peer & 1 ? size_t{0} : size_t{3'000}; };
    const auto burst = queue_.pop_bulk(now_, gate, most);
    if (!burst) return;
    require((closed >> burst->peer & 1) == 0);
    uint64_t& last = last_of_[flow_[burst->slot]];
    require(serial_[burst->slot] >= last);
    last = serial_[burst->slot];
    leave(*burst);
  }

  void leave(const queue::Burst& burst) {
    require(flow_[burst.slot].first == burst.peer);
    HostFrame& frame = queue_[burst.slot];
    std::array<uint8_t, 70'000> out;
    for (uint32_t i = 0; frame.cut && i < burst.count; i++) {
      require(!frame.cut->done());
      frame.cut->next(out.data());
    }
    left_ += burst.count;
    if (!burst.last) return;
    require(!frame.cut || frame.cut->done());
    queue_.free(burst.slot);
  }

  HostQueue queue_{places};
  Nanos now_ = 1'000'000'000;
  uint64_t came_ = 0, left_ = 0, last_serial_ = 0;
  std::map<Index, uint64_t> serial_;
  std::map<Index, std::pair<uint32_t, uint64_t>> flow_;
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> last_of_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Host host;
  for (int steps = 0; !input.empty() && steps < 256; steps++) host.step(input);
  host.finish();
  return 0;
}
