#include "filter_flows.h"

#include <bit>

namespace wg {
namespace {

/// One round of multiplying and folding, keyed: a member who does not know the seed cannot aim at one bucket.
uint64_t mix(uint64_t value, uint64_t seed) {
  const unsigned __int128 product = static_cast<unsigned __int128>(value ^ seed) * 0x9e3779b97f4a7c15u;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t hash(const FlowKey& key, uint64_t seed) {
  uint64_t out = seed;
  for (const uint64_t word : key.words) out = mix(word, std::rotl(out, 23) + seed);
  return out;
}

}  // namespace

FlowTable::Index& FlowTable::bucket(const FlowKey& key, uint64_t seed) {
  return buckets_[hash(key, seed) & (buckets_.size() - 1)];
}

void FlowTable::unlink(Index index) {
  const Node& node = nodes_[index];
  (node.newer == none ? newest_ : nodes_[node.newer].older) = node.older;
  (node.older == none ? oldest_ : nodes_[node.older].newer) = node.newer;
}

void FlowTable::make_newest(Index index) {
  Node& node = nodes_[index];
  node.newer = none;
  node.older = newest_;
  (newest_ == none ? oldest_ : nodes_[newest_].newer) = index;
  newest_ = index;
}

void FlowTable::leave_bucket(Index index, uint64_t seed) {
  Index* at = &bucket(nodes_[index].flow.key, seed);
  while (*at != index) at = &nodes_[*at].next_in_bucket;
  *at = nodes_[index].next_in_bucket;
}

Flow* FlowTable::find(const FlowKey& key, Nanos now, uint64_t seed) {
  if (buckets_.empty()) return nullptr;
  for (Index index = bucket(key, seed); index != none; index = nodes_[index].next_in_bucket) {
    Node& node = nodes_[index];
    if (node.flow.key != key) continue;
    if (index != newest_) {
      unlink(index);
      make_newest(index);
    }
    if (node.flow.expires > now) return &node.flow;
    // Over: the next of the same name begins anew, in the same place.
    node.flow = {.key = key};
    return nullptr;
  }
  return nullptr;
}

Flow& FlowTable::insert(const FlowKey& key, uint64_t seed) {
  if (buckets_.empty()) buckets_.assign(std::bit_ceil(limit_), none);
  Index& head = bucket(key, seed);
  // One that find() called over still holds the key.
  for (Index index = head; index != none; index = nodes_[index].next_in_bucket) {
    if (nodes_[index].flow.key == key) return nodes_[index].flow;
  }
  Index index;
  if (nodes_.size() < limit_) {
    index = static_cast<Index>(nodes_.size());
    nodes_.emplace_back();
  } else {
    index = oldest_;
    leave_bucket(index, seed);
    unlink(index);
  }
  Node& node = nodes_[index];
  node.flow = {.key = key};
  node.next_in_bucket = head;
  head = index;
  make_newest(index);
  return node.flow;
}

void FlowTable::clear() {
  nodes_.clear();
  buckets_.clear();
  newest_ = oldest_ = none;
}

}  // namespace wg
