// FQ-CoDel (RFC 8290), fair between peers first: turns go round the peers, then round the flows of each. It orders slots of
// memory that its caller owns, and allocates nothing after the start. One thread.
#pragma once

#include <functional>
#include <optional>

#include "codel.h"
#include "record_table.h"

namespace wg::queue {

/// What waits in a slot.
struct Packet {
  uint32_t peer;
  /// Of `classify`.
  uint64_t flow;
  /// As they will leave, all segments together.
  uint32_t bytes;
  /// Packets that it becomes; each but the last has `segment_bytes`.
  uint32_t segments = 1;
  uint32_t segment_bytes = 0;
};

/// Consecutive segments of a slot, to be sent now.
struct Burst {
  Index slot;
  uint32_t peer;
  uint32_t first, count;
  uint32_t bytes;
  /// Nothing of the slot is left: it is the caller's again.
  bool last;
};

struct FairQueueOptions {
  /// Slot numbers are below this.
  size_t slots;
  /// Bytes that may wait; beyond them the longest flow loses from its head.
  size_t limit_bytes;
  /// Whether a queue that stays long loses packets before it is full.
  bool codel = true;
  /// Tuning: flows and peers that may wait at once; one more is refused. A room has 250 members.
  size_t flows = 1'024;
  size_t peers = 512;
  /// Tuning: bytes of a turn. For flows some packets, so that a thin flow keeps its place before the thick ones; for peers a
  /// whole frame of segmentation offload, so that none is cut without need.
  uint32_t flow_quantum = 6'000;
  uint32_t peer_quantum = 64 * 1'024;
};

class FairQueue {
 public:
  /// Bytes that a peer may send now: 0 holds it back.
  using Gate = std::function<size_t(uint32_t peer)>;
  /// Takes back a slot whose packet was dropped.
  using Release = std::function<void(Index slot)>;

  FairQueue(const FairQueueOptions& options, Release release);

  /// False when too many flows wait: the packet was dropped.
  bool push(Nanos now, Index slot, const Packet& packet);
  /// What is to leave next; at least one segment, and no more than `gate` and `most` bytes allow beyond that.
  std::optional<Burst> pop(Nanos now, const Gate& gate, size_t most);
  /// Drops from the head of the longest flow, to make room. False when nothing can be dropped.
  bool shed();

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  /// Whether something of this flow waits: what follows it must not pass.
  bool holds(uint32_t peer, uint64_t flow) const;
  /// Peers for which something waits, by `visit(peer, bytes)`.
  template <typename Visit>
  void each_peer(const Visit& visit) const {
    for (Index at = peers_.head; at != nothing; at = peer_table_[at].next) {
      if (peer_table_[at].backlog > 0) visit(peer_table_[at].id, peer_table_[at].backlog);
    }
  }

  /// Packets, not slots.
  uint64_t dropped() const { return dropped_; }
  /// Those of them that had waited for too long.
  uint64_t late() const { return late_; }
  /// How long the last packets waited, smoothed; 0 while nothing waits.
  Nanos wait() const { return empty() ? 0 : wait_; }

 private:
  struct Item {
    Packet packet;
    uint32_t sent = 0;  // segments
    Nanos queued_at = 0;
    Index next = nothing;
  };
  // A singly linked list through `next` of whatever it lists.
  struct List {
    Index head = nothing, tail = nothing;
  };
  struct Flow {
    List items;
    Index peer = nothing;
    size_t backlog = 0;
    int64_t deficit = 0;
    Codel codel;
    Index next = nothing;
    bool waiting = false;
  };
  struct Peer {
    uint32_t id = 0;
    List fresh, old;  // flows
    size_t backlog = 0;
    int64_t deficit = 0;
    Index next = nothing;
    bool waiting = false;
  };

  Index next_peer(const Gate& gate, size_t& allowed);
  Index next_flow(Nanos now, Peer& peer);
  bool is_late(Nanos now, Flow& flow);
  Burst take(Nanos now, Peer& peer, Flow& flow, size_t allowed);
  void drop_late(Flow& flow);
  void drop_head(Flow& flow);
  void shrink(Flow& flow, uint32_t bytes);

  const FairQueueOptions options_;
  const Release release_;
  std::vector<Item> items_;
  RecordTable<Flow> flow_table_;
  RecordTable<Peer> peer_table_;
  List peers_;
  size_t waiting_peers_ = 0;
  size_t bytes_ = 0;
  uint64_t dropped_ = 0, late_ = 0;
  Nanos wait_ = 0;
};

}  // namespace wg::queue
