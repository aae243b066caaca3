// Where datagrams have left for lately: what else leaves there makes nothing new in the user's router.
#pragma once

#include <map>
#include <utility>

#include "event.h"

namespace wg {

class Reached {
 public:
  /// RFC 4787, REQ-5: a mapping that nothing refreshes is likely gone after it.
  static constexpr int64_t lifetime = 120'000'000'000;
  /// Destinations; in a table that is full of younger ones a new one is not noted, and so stays new.
  static constexpr size_t most = 8'192;

  /// `now` in nanoseconds of any one clock.
  bool lately(int64_t now, SocketId socket, const Endpoint& to) const {
    const auto entry = sent_.find({socket, to.identity()});
    return entry != sent_.end() && now - entry->second <= lifetime;
  }

  void note(int64_t now, SocketId socket, const Endpoint& to) {
    const auto key = std::pair(socket, to.identity());
    if (const auto entry = sent_.find(key); entry != sent_.end()) {
      entry->second = now;
      return;
    }
    if (sent_.size() >= most) std::erase_if(sent_, [now](const auto& entry) { return now - entry.second > lifetime; });
    if (sent_.size() < most) sent_.emplace(key, now);
  }

 private:
  std::map<std::pair<SocketId, Bytes<18>>, int64_t> sent_;
};

}  // namespace wg
