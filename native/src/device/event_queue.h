// Bounded queue of events from every thread to the owner. When it is full, events are dropped and counted; bulk has only three
// quarters of it. Slots keep their memory, so that a queue in use does not allocate.
#pragma once

#include <functional>
#include <mutex>

#include "event.h"

namespace wg {

class EventQueue {
 public:
  /// `wake` is called, from any thread, when `take` should be called and no earlier call is still due.
  EventQueue(size_t limit, std::function<void()> wake) : slots_(limit), wake_(std::move(wake)) {}

  void push(Event&& event) {
    put(slots_.size(), [&event](Event& slot) { slot = std::move(event); });
  }

  /// An event that is mostly bytes: `outbound` and `packet`.
  void push(EventType type, PeerId peer, ByteView bytes, std::optional<queue::Lane> lane = {}) {
    const bool bulk = lane == queue::Lane::bulk;
    put(bulk ? slots_.size() - slots_.size() / 4 : slots_.size(), [=](Event& slot) {
      slot.type = type;
      slot.peer = peer;
      slot.lane = lane;
      slot.bytes.assign(bytes.begin(), bytes.end());
    });
  }

  /// Swaps up to `out.size()` events into `out` and returns how many. When some remain, `wake` is called again.
  size_t take(std::vector<Event>& out) {
    size_t count = 0;
    bool more = false;
    {
      const std::lock_guard lock(mutex_);
      while (count < out.size() && size_ > 0) {
        std::swap(out[count++], slots_[head_]);
        head_ = (head_ + 1) % slots_.size();
        size_--;
      }
      more = size_ > 0;
      waking_ = more;
    }
    if (more) wake_();
    return count;
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return size_;
  }

  uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  template <typename Fill>
  void put(size_t most, const Fill& fill) {
    {
      const std::lock_guard lock(mutex_);
      if (size_ >= most) {
        dropped_++;
        return;
      }
      fill(slots_[(head_ + size_) % slots_.size()]);
      size_++;
      if (waking_) return;
      waking_ = true;
    }
    wake_();
  }

  mutable std::mutex mutex_;
  std::vector<Event> slots_;
  size_t head_ = 0, size_ = 0;
  bool waking_ = false;
  uint64_t dropped_ = 0;
  const std::function<void()> wake_;
};

}  // namespace wg
