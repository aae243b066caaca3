#include "../src/device/turn.h"

#include <thread>

#include "check.h"

using namespace wg;

namespace {

constexpr Nanos start = 5'000'000'000;

/// In a thread of its own, whose slice ends with it.
template <typename Steps>
void on_a_thread(const Steps& steps) {
  std::thread(steps).join();
}

/// What the kernel makes of a wish; the usual slice where it knows none.
Nanos taken(Nanos wish) {
  Nanos slice = 0;
  on_a_thread([&] {
    set_time_slice(wish);
    slice = time_slice();
  });
  return slice;
}

}  // namespace

TEST("turns: bulk has a short slice while somebody plays, and its usual one again afterwards") {
  on_a_thread([] {
    const Nanos usual = time_slice(), brief = taken(bulk_slice);
    Turn turn;
    turn.next(start, start);
    turn.next(start + bulk_turn, start);
    EXPECT_EQ(time_slice(), std::min(usual, brief));
    turn.next(start + play_pause, start);
    EXPECT_EQ(time_slice(), usual);
    turn.next(start + play_pause + 2 * bulk_turn, start + play_pause);
    EXPECT_EQ(time_slice(), std::min(usual, brief));
  });
}

TEST("turns: nothing changes where nobody plays, or before a turn is over") {
  on_a_thread([] {
    const Nanos usual = time_slice();
    Turn turn;
    turn.next(start, 0);
    turn.next(start + 10 * bulk_turn, 0);
    EXPECT_EQ(time_slice(), usual);
    turn.end();
    turn.next(start + 10 * bulk_turn, start);
    turn.next(start + 11 * bulk_turn - 1, start);
    EXPECT_EQ(time_slice(), usual);
  });
}
