// From the network to the host: split, classify (locked), open, check (locked), deliver. Small datagrams pass those that wait.
// The network thread's.
#pragma once

#include "host_writer.h"
#include "sender.h"

namespace wg {

/// Packets of the external path on their way to the network thread. Bounded; slots keep their memory.
class Inbox {
 public:
  static constexpr size_t limit = 1'024;

  struct Item {
    PeerId peer = 0;
    std::vector<uint8_t> bytes;
  };

  /// False when it is full.
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
  Inbound(State& state, Inbox& inbox, HostWriter& host);

  /// Takes what waits on a socket. Small datagrams are opened at once, the others wait for `receive_bulk`.
  void receive(const std::shared_ptr<udp::Socket>& socket);
  /// Opens some of what waits. Whether more does.
  bool receive_bulk();
  /// Everything that waits in the inbox.
  void receive_external();
  void run_timers();

 private:
  /// Datagrams that are worked off between two looks at the lock.
  static constexpr size_t max_items = 256;
  static constexpr uint64_t no_place = ~uint64_t{0};

  struct Item {
    const Arrival* arrival;
    ByteSpan datagram;
    Session* session;
    ByteSpan inner;
    /// Of a small datagram that came behind bulk.
    uint64_t place;
  };
  /// What came while bulk waited, in its order. A small datagram only keeps its place, in case that its packet must not pass.
  struct Waiting {
    enum class Kind : uint8_t { sealed, opened, gone } kind = Kind::gone;
    Arrival arrival;
    udp::Received read;
  };

  void keep(Waiting::Kind kind, Arrival arrival, const udp::Received& read);
  void add(const Arrival& arrival, ByteSpan datagram, uint64_t place = no_place);
  void process();
  void classify(const Now& now);
  bool open();
  void check(const Now& now);
  void deliver(const Item& item);
  void finish();
  Waiting& waiting(uint64_t place) { return waiting_[place % waiting_.size()]; }

  State& state_;
  Inbox& inbox_;
  HostWriter& host_;
  Sender sender_;
  Effects effects_;
  udp::ReceiveBatch batch_;
  std::vector<Arrival> arrivals_;
  std::vector<Item> items_;
  // Keeps the sessions of the items.
  std::vector<std::shared_ptr<Session>> sessions_;
  std::array<Inbox::Item, udp::ReceiveBatch::capacity> external_;
  // A ring; positions only rise.
  std::vector<Waiting> waiting_;
  uint64_t first_ = 0, next_ = 0;
  size_t bulk_waits_ = 0;
  // Buffers whose packets have reached the host with the next flush.
  std::vector<size_t> done_;
};

}  // namespace wg
