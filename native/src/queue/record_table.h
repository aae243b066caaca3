// Records by key, all made at the start: finding, taking and leaving one never allocates.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wg::queue {

/// Names a record or an item; `nothing` ends lists.
using Index = uint32_t;
constexpr Index nothing = ~Index{0};

/// A record that was left keeps key and content until another key needs its place; the one left longest goes first.
template <typename Record>
class RecordTable {
 public:
  explicit RecordTable(size_t records) : nodes_(records), heads_(std::bit_ceil(records * 2), nothing) {
    for (Index index = 0; index < records; index++) leave(index);
  }

  Record& operator[](Index index) { return nodes_[index].record; }
  const Record& operator[](Index index) const { return nodes_[index].record; }

  /// The record in use for `key`.
  Index find(uint64_t key) const {
    const Index index = lookup(key);
    return index != nothing && nodes_[index].taken ? index : nothing;
  }

  /// Takes the record of `key`, which may be in use already. A fresh one begins as `Record{}`. `nothing` when all are in
  /// use for other keys.
  Index take(uint64_t key) {
    Index index = lookup(key);
    if (index == nothing) {
      index = oldest_;
      if (index == nothing) return nothing;
      rename(index, key);
    }
    if (!nodes_[index].taken) unlink_idle(index);
    nodes_[index].taken = true;
    return index;
  }

  void leave(Index index) {
    Node& node = nodes_[index];
    node.taken = false;
    node.older = newest_;
    node.newer = nothing;
    (newest_ == nothing ? oldest_ : nodes_[newest_].newer) = index;
    newest_ = index;
  }

 private:
  struct Node {
    Record record{};
    uint64_t key = 0;
    bool named = false, taken = true;
    Index chain = nothing, older = nothing, newer = nothing;
  };

  Index& head(uint64_t key) { return heads_[key & (heads_.size() - 1)]; }

  Index lookup(uint64_t key) const {
    Index index = heads_[key & (heads_.size() - 1)];
    while (index != nothing && nodes_[index].key != key) index = nodes_[index].chain;
    return index;
  }

  void rename(Index index, uint64_t key) {
    Node& node = nodes_[index];
    if (node.named) {
      Index* link = &head(node.key);
      while (*link != index) link = &nodes_[*link].chain;
      *link = node.chain;
    }
    node.record = Record{};
    node.key = key;
    node.named = true;
    node.chain = head(key);
    head(key) = index;
  }

  void unlink_idle(Index index) {
    const Node& node = nodes_[index];
    (node.older == nothing ? oldest_ : nodes_[node.older].newer) = node.newer;
    (node.newer == nothing ? newest_ : nodes_[node.newer].older) = node.older;
  }

  std::vector<Node> nodes_;
  std::vector<Index> heads_;
  Index oldest_ = nothing, newest_ = nothing;
};

}  // namespace wg::queue
