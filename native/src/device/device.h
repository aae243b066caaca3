// A running device: threads, sockets and TUN around a Core. Every method is for the owner's one thread.
#pragma once

#include <thread>

#include "../tun/host_capture.h"
#include "inbound.h"
#include "outbound.h"

namespace wg {

struct DeviceOptions {
  Key private_key;
  /// Nothing: packets come by write_tun and leave as `packet` events.
  std::optional<tun::HostTun> tun;
  /// Broadcasts that leave by other interfaces.
  std::optional<tun::HostCapture> capture;
  size_t mtu;
  /// Wildcard of both families when nothing.
  std::optional<Endpoint> bind;
  uint16_t port = 0;
  uint32_t mark = 0;
  /// Threads beside the two that read; by the cores when nothing.
  std::optional<size_t> crypto_threads{};
  size_t event_limit;
  std::function<void()> wake_owner;
};

struct DeviceCounters {
  uint64_t events_dropped, rejected, tx_dropped, route_misses;
  /// Of the queue between host and peers: packets dropped (bulk_late: for having waited too long), and bytes that wait.
  uint64_t express_dropped, bulk_dropped, bulk_late, bulk_queued;
  /// How long bulk waits now.
  Nanos bulk_wait;
  /// Datagrams of external paths that found no place to wait for their opening.
  uint64_t receive_dropped;
  bool under_load;
  FanoutCounters fanout;
};

class Device {
 public:
  /// Nothing on failure, with the errno in `error`.
  static std::unique_ptr<Device> open(DeviceOptions options, int& error);
  ~Device();

  const PublicKey& public_key() const { return state_.core.identity().public_key; }
  EventQueue& events() { return state_.events; }

  std::optional<PeerId> add_peer(const PublicKey& key, const PeerConfig& config);
  /// These answer false for a peer that does not exist.
  bool update_peer(PeerId id, const PeerChange& change);
  void remove_peer(PeerId id);
  bool set_path(PeerId id, Path path, Path duplicate);
  bool has_probe_keys(PeerId id);

  /// Fewer than `count` when the system gives no more, with its errno in `error`.
  std::vector<std::shared_ptr<udp::Socket>> open_sockets(size_t count, int family, int& error);
  void close_socket(SocketId id);
  std::vector<std::shared_ptr<udp::Socket>> sockets();
  std::shared_ptr<udp::Socket> socket(SocketId id);

  bool send(udp::Socket& socket, const Endpoint& to, ByteView bytes, int ttl);
  bool ping(PeerId id, uint64_t seq, const Path& via, size_t size, bool doubly, int ttl);
  bool send_message(PeerId id, uint64_t seq, const Path& via, ByteView body);
  void receive_external(PeerId id, ByteView bytes);
  /// Memory TUN only; at most mtu bytes.
  void write_tun(ByteView packet);
  size_t mtu() const { return state_.core.mtu(); }
  /// Captured broadcasts are copied where both addresses are known.
  void set_fanout(bool enabled, std::optional<uint32_t> directed_broadcast, std::optional<uint32_t> own);

  void set_filter(std::optional<FilterOptions> options);
  void allow_new_remotes(uint64_t total);

  struct PeerSnapshot {
    PeerId id;
    PeerCounters counters;
    /// Bytes a second; 0 while bulk is not paced.
    double pace;
    /// Broadcasts of this peer, handed to the host and dropped.
    uint64_t fanout_received, fanout_dropped;
  };
  DeviceCounters counters();
  std::vector<PeerSnapshot> peer_counters();

 private:
  explicit Device(DeviceOptions options);

  int open_main_sockets();
  int add_socket(SocketId id, const Endpoint& bind);
  void start();
  void network_loop();
  void host_loop();
  void drain_capture(Outbound& outbound);
  bool send_probe(const Path& via, PeerId id, ByteView bytes, int ttl);
  void deliver_answers(Outbound& outbound);
  void rearm();

  const std::optional<Endpoint> bind_;
  const uint16_t port_;
  const uint32_t mark_;
  const size_t crypto_threads_;
  State state_;
  std::optional<tun::HostTun> tun_;
  std::optional<tun::HostCapture> capture_;
  Inbox inbox_;
  SocketId next_socket_ = 2;
  std::atomic<bool> stopping_{false};
  Outbound memory_out_;  // packets of write_tun, on the owner's thread
  Sender sender_;        // effects of the owner's calls
  Effects effects_;
  std::unique_ptr<CryptoPool> pool_;  // where there are cores for it; outlives the two that hand in
  std::thread network_, host_;
};

}  // namespace wg
