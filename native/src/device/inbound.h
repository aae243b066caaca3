// From the network to the host: classify (locked), open, check (locked), deliver. The network thread's.
#pragma once

#include "sender.h"

namespace wg {

/// Takes decrypted inner packets.
using HostSink = std::function<void(ByteView)>;

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
  Inbound(State& state, Inbox& inbox, HostSink deliver);

  /// One batch from a socket.
  void receive(const std::shared_ptr<udp::Socket>& socket);
  /// Everything that waits in the inbox.
  void receive_external();
  void run_timers();

 private:
  struct Item {
    Arrival arrival;
    ByteSpan datagram;
    std::shared_ptr<Session> session;
    ByteSpan inner;  // until checked: what was opened
    ByteView host;   // what the host gets
  };

  void process();

  State& state_;
  Inbox& inbox_;
  const HostSink deliver_;
  Sender sender_;
  Effects effects_;
  udp::ReceiveBatch batch_;
  std::vector<Item> items_;
  std::array<Inbox::Item, udp::ReceiveBatch::capacity> external_;
};

}  // namespace wg
