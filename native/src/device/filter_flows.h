// Flows by key, with a bound: when it is reached, the one that was silent longest goes.
#pragma once

#include <vector>

#include "filter_packet.h"

namespace wg {

/// What is remembered of a flow.
struct Flow {
  FlowKey key;
  Nanos expires = 0;
  /// TCP: which sides said FIN, and whether the other side answered.
  bool host_fin = false, peer_fin = false, answered = false, reset = false;
  /// Fragments: the verdict about the first one.
  bool accepted = false;
};

/**
 * Memory grows with the flows up to the limit and stays. Finding takes the flow to the front. `seed` makes the places of
 * keys unknown to whoever chooses them.
 */
class FlowTable {
 public:
  explicit FlowTable(size_t limit) : limit_(limit) {}

  /// Nothing when it is unknown or its time is over.
  Flow* find(const FlowKey& key, Nanos now, uint64_t seed);
  /// A new flow for a key that is not in the table.
  Flow& insert(const FlowKey& key, uint64_t seed);
  size_t size() const { return nodes_.size(); }
  void clear();

 private:
  using Index = uint32_t;
  static constexpr Index none = ~Index{0};
  struct Node {
    Flow flow;
    Index next_in_bucket = none, newer = none, older = none;
  };

  Index& bucket(const FlowKey& key, uint64_t seed);
  void unlink(Index index);
  void make_newest(Index index);
  void leave_bucket(Index index, uint64_t seed);

  size_t limit_;
  std::vector<Node> nodes_;
  std::vector<Index> buckets_;
  Index newest_ = none, oldest_ = none;
};

}  // namespace wg
