// What is to happen later, in order of time and then of arrival.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "packet.hpp"

namespace natbox {

class Schedule {
 public:
  using Task = std::function<void(Time)>;

  void at(Time when, Task task) {
    heap_.push_back({when, sequence_++, std::move(task)});
    std::push_heap(heap_.begin(), heap_.end());
  }

  /** When the next task is due, if there is any. */
  std::optional<Time> next() const { return heap_.empty() ? std::nullopt : std::optional(heap_.front().when); }

  void runDue(Time now) {
    while (!heap_.empty() && heap_.front().when <= now) {
      std::pop_heap(heap_.begin(), heap_.end());
      Task task = std::move(heap_.back().task);
      heap_.pop_back();
      task(now);
    }
  }

 private:
  struct Entry {
    Time when;
    std::uint64_t sequence;
    Task task;
    // The heap keeps its largest on top: the earliest entry is the largest.
    bool operator<(const Entry& other) const { return when != other.when ? when > other.when : sequence > other.sequence; }
  };
  std::vector<Entry> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace natbox
