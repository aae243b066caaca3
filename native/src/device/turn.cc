#include "turn.h"

#include <utility>

namespace wg {

void Turn::next(Nanos now, Nanos played_at) {
  if (!plays(now, played_at)) {
    if (usual_slice_ != 0) set_time_slice(std::exchange(usual_slice_, 0));
    return;
  }
  if (since_ == 0) since_ = now;
  if (now - since_ < bulk_turn) return;
  if (usual_slice_ == 0) {
    usual_slice_ = time_slice();
    if (usual_slice_ > bulk_slice) set_time_slice(bulk_slice);
  }
  give_way();
  since_ = now;
}

}  // namespace wg
