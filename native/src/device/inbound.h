// From the network to the host: split, classify (locked), open, check (locked), deliver. The network thread's.
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

  /// One batch from a socket.
  void receive(const std::shared_ptr<udp::Socket>& socket);
  /// Everything that waits in the inbox.
  void receive_external();
  void run_timers();

 private:
  /// Datagrams that are worked off between two looks at the lock.
  static constexpr size_t max_items = 256;

  struct Item {
    const Arrival* arrival;
    ByteSpan datagram;
    Session* session;
    ByteSpan inner;
  };

  void add(const Arrival& arrival, ByteSpan datagram);
  void process();
  void classify(const Now& now);
  bool open();
  void check(const Now& now);

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
};

}  // namespace wg
