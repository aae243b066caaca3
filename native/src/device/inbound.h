// From the network to the host: split, classify (locked), open, check (locked), deliver. Small datagrams pass those that wait.
// The network thread's.
#pragma once

#include "host_writer.h"
#include "opening.h"
#include "sender.h"

namespace wg {

/// Packets of the external path on their way to the network thread. Bounded, bulk at three quarters; slots keep their memory.
class Inbox {
 public:
  static constexpr size_t limit = 1'024, bulk_limit = limit - limit / 4;

  struct Item {
    PeerId peer = 0;
    std::vector<uint8_t> bytes;
  };

  /// False when it has no place.
  bool push(PeerId peer, ByteView bytes);
  /// Swaps up to `out.size()` items into `out` and returns how many.
  size_t take(std::span<Item> out);

 private:
  std::mutex mutex_;
  std::vector<Item> slots_{limit};
  size_t head_ = 0, size_ = 0;
};

class Inbound {
 public:
  /// With a `pool` bulk is opened there while more is read.
  Inbound(State& state, Inbox& inbox, HostWriter& host, CryptoPool* pool = nullptr);
  /// What has been read reaches the host before.
  ~Inbound();

  /// Takes what waits on a socket. Small datagrams are opened at once, the others wait for `receive_bulk`.
  void receive(const std::shared_ptr<udp::Socket>& socket);
  /// Opens some of what waits. Whether more does.
  bool receive_bulk();
  /// Everything that waits in the inbox.
  void receive_external();
  void run_timers();

 private:
  /// What came while something waited, in its order. Small datagrams only keep their place, for those whose packets must not pass.
  struct Waiting {
    enum class Kind : uint8_t { sealed, opened, gone } kind = Kind::gone;
    Arrival arrival;
    udp::Received read;
    /// Of small datagrams that the kernel joined: bit by bit, whose packets wait where they were opened.
    uint64_t stays = 0;
  };

  bool has_places() const { return waiting_.size() - (next_ - first_) >= udp::ReceiveBatch::capacity; }
  void keep(Waiting::Kind kind, Arrival arrival, const udp::Received& read);
  void receive_small(Arrival arrival, const udp::Received& read);
  void release_passed(uint64_t begin);
  void add(const Arrival& arrival, ByteSpan datagram, uint64_t place = Opening::no_place);
  void process();
  void hand_in();
  void gather(Opening& batch);
  size_t collect();
  size_t leave(Waiting& worked_off);
  void classify(Opening& batch);
  void settle(Opening& batch);
  bool accept(Opening& batch);
  void check(Opening& batch);
  void deliver(const Opening::Item& item);
  void deliver_late(const Waiting& opened);
  void finish();
  Waiting& waiting(uint64_t place) { return waiting_[place % waiting_.size()]; }

  State& state_;
  Inbox& inbox_;
  HostWriter& host_;
  Sender sender_;
  Effects effects_;
  udp::ReceiveBatch batch_;
  std::vector<Arrival> arrivals_;
  // What is opened at once.
  Opening now_;
  std::array<Inbox::Item, udp::ReceiveBatch::capacity> external_;
  // A ring; positions only rise.
  std::vector<Waiting> waiting_;
  uint64_t first_ = 0, next_ = 0;
  /// Of bulk that has been read and has not reached the host.
  size_t bulk_bytes_ = 0;
  CryptoPool* const pool_;
  // What the pool opens: a ring. Everything before `handed_to_` has been handed in or was no bulk.
  std::vector<Opening> pooled_;
  uint64_t handed_to_ = 0, collected_ = 0, handed_in_ = 0;
  // Buffers whose packets have reached the host with the next flush.
  std::vector<size_t> done_;
};

}  // namespace wg
