// What the threads of a device share.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "../udp/poller.h"
#include "core.h"
#include "event_queue.h"

namespace wg {

/// Reads the three clocks.
Now read_clocks();

/// The lock guards `core`, `sockets` and `armed`. No thread holds it across a system call.
struct State {
  State(const Key& private_key, size_t mtu, size_t event_limit, std::function<void()> wake_owner)
      : core(private_key, mtu, random_bytes), events(event_limit, std::move(wake_owner)) {}

  std::mutex mutex;
  Core core;
  std::map<SocketId, std::shared_ptr<udp::Socket>> sockets;
  /// When the network thread wakes by itself.
  Nanos armed = never;

  EventQueue events;
  udp::Poller poller;
  std::atomic<uint64_t> tx_dropped{0}, rejected{0};
  /// Of the queue between host and peers: packets dropped for good, and bytes that wait.
  std::atomic<uint64_t> express_dropped{0}, bulk_dropped{0}, bulk_late{0}, bulk_queued{0};
  std::atomic<Nanos> bulk_wait{0};
  /// When a game's packet last passed, in either direction (boot_ns; 0: never).
  std::atomic<Nanos> played_at{0};
  /// Datagrams of external paths that found no place to wait for their opening.
  std::atomic<uint64_t> receive_dropped{0};

  /// With the lock held: whether the network thread sleeps past a deadline that was set meanwhile.
  bool oversleeps() const { return core.next_deadline() < armed; }
};

}  // namespace wg
