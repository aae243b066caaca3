// How long a thread that carries bulk keeps its processor while somebody plays. Where all processors are taken a game's packet
// waits in a queue for the thread that is to carry it, and that one for whoever runs, until the system's next tick: up to 4 ms.
// So bulk gives way after short turns, and has a time slice so short that giving way costs it next to nothing.
#pragma once

#include "../noise/bytes.h"

namespace wg {

/// Tuning: a turn between two offers to others. 0.3 ms is one frame of segmentation offload or two.
constexpr Nanos bulk_turn = 300'000;
/// Tuning: what the system may think the thread wants at a time; giving way forfeits as much.
constexpr Nanos bulk_slice = 200'000;
/// Tuning: somebody plays who was heard within this time.
constexpr Nanos play_pause = 1'000'000'000;

/// By when a game's packet last passed (0: never).
constexpr bool plays(Nanos now, Nanos played_at) { return played_at != 0 && now - played_at < play_pause; }

/// One for each thread that carries bulk; all methods on that thread.
class Turn {
 public:
  /// The thread sleeps: others have its processor anyway.
  void end() { since_ = 0; }
  /// Between two bursts of bulk; `played_at` is when a game's packet last passed (0: never).
  void next(Nanos now, Nanos played_at);

 private:
  /// 0 until the first burst after a sleep.
  Nanos since_ = 0;
  /// The thread's slice while nobody plays; 0 while it is in use.
  Nanos usual_slice_ = 0;
};

// The platform's half: linux_turn.cc.

/// Nanoseconds that the system runs the calling thread at a time when others wait; 0 where it does not say.
Nanos time_slice();
/// Asks for another one: no right is needed. Without effect before Linux 6.12 and for threads with real-time priority.
void set_time_slice(Nanos slice);
/// Others that wait for the calling thread's processor run first.
void give_way();

}  // namespace wg
