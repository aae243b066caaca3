#include "check.h"
#include "queue_packets.h"

using namespace wg;
using namespace wg::queue;
using wg::test::inner_v4;
using wg::test::inner_v6;

namespace {

constexpr uint64_t seed = 7;

bool is_express(const std::vector<uint8_t>& packet, bool segmented = false) {
  return classify(packet, segmented, seed).lane == Lane::express;
}

uint64_t flow_of(const std::vector<uint8_t>& packet) { return classify(packet, false, seed).flow; }

}  // namespace

TEST("classes: packets below 350 bytes pass, in both versions") {
  for (const auto& make : {inner_v4, inner_v6}) {
    EXPECT(is_express(make({.size = 60})));
    EXPECT(is_express(make({.size = 349})));
    EXPECT(!is_express(make({.size = 350})));
    EXPECT(!is_express(make({.size = 1'420})));
  }
}

TEST("classes: EF and CS4 and up pass whatever their size, assured and best-effort traffic does not") {
  for (const auto& make : {inner_v4, inner_v6}) {
    for (const uint8_t code_point : {32, 40, 46, 48, 56}) EXPECT(is_express(make({.size = 1'400, .code_point = code_point})));
    for (const uint8_t code_point : {0, 8, 10, 24, 26}) EXPECT(!is_express(make({.size = 1'400, .code_point = code_point})));
  }
}

TEST("classes: what segmentation offload cuts is bulk") {
  EXPECT(!is_express(inner_v4({.size = 300, .protocol = 6}), true));
  EXPECT(!is_express(inner_v4({.size = 1'400, .code_point = 46, .protocol = 6}), true));
}

TEST("classes: a flow is its five-tuple, and its fragments one more") {
  const uint64_t flow = flow_of(inner_v4({}));
  EXPECT(flow == flow_of(inner_v4({.size = 1'400, .code_point = 46})));
  EXPECT(flow != flow_of(inner_v4({.source_port = 1'001})));
  EXPECT(flow != flow_of(inner_v4({.destination_port = 2'001})));
  EXPECT(flow != flow_of(inner_v4({.protocol = 6})));
  EXPECT(flow != flow_of(inner_v6({})));
  EXPECT(flow_of(inner_v6({})) != flow_of(inner_v6({.source_port = 1'001})));
  EXPECT(flow != classify(inner_v4({}), false, seed + 1).flow);
  const uint64_t first = flow_of(inner_v4({.fragment = 0x2000}));
  EXPECT(first != flow);
  EXPECT(first == flow_of(inner_v4({.source_port = 77, .fragment = 0x00b9})));
}

TEST("classes: a short fragment does not pass its first, a marked one goes with it") {
  const auto last = inner_v4({.size = 48, .fragment = 0x00b9});
  EXPECT(!is_express(last));
  EXPECT(keeps_order(last));
  EXPECT(is_express(inner_v4({.size = 48, .code_point = 46, .fragment = 0x00b9})));
  EXPECT(!is_express(inner_v6({.size = 60, .protocol = 44})));
  EXPECT(keeps_order(inner_v6({.size = 60, .protocol = 44})));
}

TEST("classes: a TCP segment with data is told from a bare acknowledgement") {
  for (const auto& make : {inner_v4, inner_v6}) {
    const size_t headers = make == inner_v4 ? 40 : 60;
    for (const size_t size : {headers, headers + 1}) {
      auto packet = make({.size = size, .protocol = 6});
      packet[headers - 20 + 12] = 5 << 4;
      EXPECT_EQ(keeps_order(packet), size > headers);
    }
    EXPECT(!keeps_order(make({.size = 100})));
  }
  EXPECT(!keeps_order({}));
}

TEST("classes: a game is known by small datagrams, not by what TCP says") {
  for (const auto& make : {inner_v4, inner_v6}) {
    EXPECT(is_play(make({.size = 120})));
    EXPECT(!is_play(make({.size = small_packet})));
    EXPECT(!is_play(make({.size = 60, .protocol = 6})));
  }
}

TEST("classes: anything may come from the host") {
  std::vector<uint8_t> bytes;
  for (int version = 0; version < 16; version++) {
    for (size_t size = 0; size < 64; size++) {
      bytes.assign(size, static_cast<uint8_t>(version << 4 | 0x0f));
      classify(bytes, false, seed);
      keeps_order(bytes);
      is_play(bytes);
    }
  }
  EXPECT(!is_express({}));
}
