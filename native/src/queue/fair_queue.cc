#include "fair_queue.h"

#include "classify.h"

namespace wg::queue {
namespace {

/// CoDel leaves a queue alone that holds no more than one packet of this size (RFC 8289, section 5.2).
constexpr size_t ethernet_frame = 1'514;

template <typename Table, typename List>
void append(Table& table, List& list, Index index) {
  table[index].next = nothing;
  (list.tail == nothing ? list.head : table[list.tail].next) = index;
  list.tail = index;
}

template <typename Table, typename List>
Index remove_head(Table& table, List& list) {
  const Index index = list.head;
  list.head = table[index].next;
  if (list.head == nothing) list.tail = nothing;
  return index;
}

uint64_t flow_key(uint32_t peer, uint64_t flow) { return mix(flow, peer); }

}  // namespace

FairQueue::FairQueue(const FairQueueOptions& options, Release release)
    : options_(options),
      release_(std::move(release)),
      items_(options.slots),
      flow_table_(options.flows),
      peer_table_(options.peers) {}

bool FairQueue::push(Nanos now, Index slot, const Packet& packet) {
  const Index peer_index = peer_table_.take(packet.peer);
  const Index flow_index = peer_index == nothing ? nothing : flow_table_.take(flow_key(packet.peer, packet.flow));
  if (flow_index == nothing) {
    if (peer_index != nothing && !peer_table_[peer_index].waiting) peer_table_.leave(peer_index);
    dropped_ += packet.segments;
    release_(slot);
    return false;
  }
  Peer& peer = peer_table_[peer_index];
  if (!peer.waiting) {
    peer.waiting = true;
    peer.id = packet.peer;
    peer.deficit = options_.peer_quantum;
    append(peer_table_, peers_, peer_index);
    waiting_peers_++;
  }
  Flow& flow = flow_table_[flow_index];
  if (!flow.waiting) {
    flow.waiting = true;
    flow.peer = peer_index;
    flow.deficit = options_.flow_quantum;
    append(flow_table_, peer.fresh, flow_index);
  }
  items_[slot] = {packet, 0, now, nothing};
  append(items_, flow.items, slot);
  flow.backlog += packet.bytes;
  peer.backlog += packet.bytes;
  bytes_ += packet.bytes;
  while (bytes_ > options_.limit_bytes && shed()) {
  }
  return true;
}

std::optional<Burst> FairQueue::pop(Nanos now, const Gate& gate, size_t most) {
  size_t allowed = 0;
  for (Index at = next_peer(gate, allowed); at != nothing; at = next_peer(gate, allowed)) {
    Peer& peer = peer_table_[at];
    const Index flow = next_flow(now, peer);
    if (flow != nothing) return take(now, peer, flow_table_[flow], std::min(allowed, most));
  }
  return std::nullopt;
}

// Deficit round robin over the peers. Those that are held back, or have nothing any more, are passed over.
Index FairQueue::next_peer(const Gate& gate, size_t& allowed) {
  size_t held = 0;
  while (held < waiting_peers_) {
    const Index at = peers_.head;
    Peer& peer = peer_table_[at];
    if (peer.deficit > 0 && peer.backlog > 0) {
      allowed = gate(peer.id);
      if (allowed > 0) return at;
      held++;
    } else {
      held = 0;
    }
    remove_head(peer_table_, peers_);
    if (peer.backlog > 0 || next_flow(0, peer) != nothing) {
      if (peer.deficit <= 0) peer.deficit += options_.peer_quantum;
      append(peer_table_, peers_, at);
    } else {
      peer.waiting = false;
      peer_table_.leave(at);
      waiting_peers_--;
    }
  }
  return nothing;
}

// RFC 8290, section 4.2. A flow that went empty gives up its place; a new one first spends a turn among the old.
Index FairQueue::next_flow(Nanos now, Peer& peer) {
  while (true) {
    const bool fresh = peer.fresh.head != nothing;
    List& list = fresh ? peer.fresh : peer.old;
    const Index at = list.head;
    if (at == nothing) return nothing;
    Flow& flow = flow_table_[at];
    if (flow.items.head != nothing && flow.deficit <= 0) {
      flow.deficit += options_.flow_quantum;
      append(flow_table_, peer.old, remove_head(flow_table_, list));
      continue;
    }
    while (is_late(now, flow)) drop_late(flow);
    if (flow.items.head != nothing) return at;
    flow.codel.empty();
    remove_head(flow_table_, list);
    if (fresh && peer.old.head != nothing) {
      append(flow_table_, peer.old, at);
    } else {
      flow.waiting = false;
      flow_table_.leave(at);
    }
  }
}

// What has begun to leave is not dropped for being late.
bool FairQueue::is_late(Nanos now, Flow& flow) {
  if (!options_.codel || flow.items.head == nothing) return false;
  const Item& item = items_[flow.items.head];
  if (item.sent > 0) return false;
  return flow.codel.drops(now, now - item.queued_at, flow.backlog, std::max<size_t>(ethernet_frame, item.packet.bytes));
}

Burst FairQueue::take(Nanos now, Peer& peer, Flow& flow, size_t allowed) {
  constexpr Nanos smoothing = 16;
  const Index slot = flow.items.head;
  Item& item = items_[slot];
  wait_ += (now - item.queued_at - wait_) / smoothing;
  const uint32_t left = item.packet.segments - item.sent;
  const size_t fits = left == 1 ? 1 : std::max<size_t>(1, allowed / std::max(1u, item.packet.segment_bytes));
  const auto count = static_cast<uint32_t>(std::min<size_t>(left, fits));
  const bool last = count == left;
  const uint32_t begun = item.sent * item.packet.segment_bytes;
  const uint32_t bytes = last ? item.packet.bytes - begun : count * item.packet.segment_bytes;
  const Burst burst{slot, peer.id, item.sent, count, bytes, last};
  item.sent += count;
  shrink(flow, bytes);
  flow.deficit -= bytes;
  peer.deficit -= bytes;
  if (last) remove_head(items_, flow.items);
  return burst;
}

void FairQueue::shrink(Flow& flow, uint32_t bytes) {
  flow.backlog -= bytes;
  peer_table_[flow.peer].backlog -= bytes;
  bytes_ -= bytes;
}

void FairQueue::drop_late(Flow& flow) {
  const uint64_t before = dropped_;
  drop_head(flow);
  late_ += dropped_ - before;
}

void FairQueue::drop_head(Flow& flow) {
  const Index slot = remove_head(items_, flow.items);
  const Item& item = items_[slot];
  dropped_ += item.packet.segments - item.sent;
  shrink(flow, item.packet.bytes - item.sent * item.packet.segment_bytes);
  release_(slot);
}

// RFC 8290, section 4.1.2, but one at a time: a slot is many packets already.
bool FairQueue::shed() {
  Flow* longest = nullptr;
  for (Index peer = peers_.head; peer != nothing; peer = peer_table_[peer].next) {
    for (const List* list : {&peer_table_[peer].fresh, &peer_table_[peer].old}) {
      for (Index at = list->head; at != nothing; at = flow_table_[at].next) {
        Flow& flow = flow_table_[at];
        if (!longest || flow.backlog > longest->backlog) longest = &flow;
      }
    }
  }
  if (!longest || longest->items.head == nothing) return false;
  drop_head(*longest);
  return true;
}

bool FairQueue::holds(uint32_t peer, uint64_t flow) const {
  const Index at = flow_table_.find(flow_key(peer, flow));
  return at != nothing && flow_table_[at].items.head != nothing;
}

}  // namespace wg::queue
