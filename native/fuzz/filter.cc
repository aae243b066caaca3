// The filter under arbitrary packets of a member: nothing reads past its bytes, tables keep their bound, and under rules
// that accept nothing only answers pass, and fragments without a first, of which no host makes anything.
#include <cstdlib>
#include <vector>

#include "../src/device/filter.h"
#include "../src/device/filter_packet.h"
#include "input.h"

namespace {

bool is_later_fragment(wg::ByteView packet) {
  const auto view = wg::PacketView::parse(packet, wg::Direction::from_peer);
  return view && view->kind == wg::PacketKind::fragment;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  wg::fuzz::Input input(data, size);
  wg::Filter filter(7);
  wg::FilterOptions options{.rules = {.rules = {{.accept = false, .protocol = 6, .ports = {{22, 22}}}}, .accept = true}};
  options.rules.accept = input.byte() & 1;
  if (!options.rules.accept) options.rules.rules.clear();
  const bool open = options.rules.accept;
  filter.set(std::move(options));
  wg::PeerFilter peer;
  wg::Nanos now = 1'000'000'000'000;
  bool began = false;
  while (!input.empty()) {
    const uint8_t step = input.byte();
    const std::vector<uint8_t> packet = input.block(2'000);
    now += wg::Nanos{step >> 1} * 1'000'000'000;
    if (step & 1) {
      filter.from_host(peer, packet, now);
      began = true;
    } else if (filter.accepts(peer, packet, now) && !open && !began && !is_later_fragment(packet)) {
      std::abort();
    }
  }
  if (peer.ours.size() > wg::flow_limit || peer.theirs.size() > wg::flow_limit) std::abort();
  return 0;
}
