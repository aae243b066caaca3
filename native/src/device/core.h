// WireGuard without I/O: peers, handshakes, timers, routing, probes. One caller at a time (the device's lock); clocks and
// randomness are arguments; what has to be done outside is left in Effects.
//
//   from the host   route, session_for_data, stage            core_data.cc
//   from the net    receive, received_data                    core_receive.cc
//   handshakes      begin_handshake and the three messages    core_handshake.cc
//   time            run_timers, next_deadline                 core_timers.cc
//   probes          seal_probe, receive_probe                 core_probes.cc
//   pacing          ask_for_pace, receive_pace                core_pacing.cc
#pragma once

#include <unordered_map>

#include "../noise/cookie.h"
#include "../noise/rate_limiter.h"
#include "../udp/stun.h"
#include "fanout.h"
#include "load.h"
#include "peer.h"
#include "reached.h"

namespace wg {

/// Paper, section 6.1 (nanoseconds).
constexpr Nanos seconds = 1'000'000'000;
constexpr Nanos milliseconds = 1'000'000;
constexpr Nanos rekey_after_time = 120 * seconds;
constexpr Nanos reject_after_time = 180 * seconds;
constexpr Nanos rekey_attempt_time = 90 * seconds;
constexpr Nanos rekey_timeout = 5 * seconds;
constexpr Nanos keepalive_timeout = 10 * seconds;
/// Pauses before a session's first packet is repeated (await_confirmation).
constexpr std::array<Nanos, 3> confirm_after{250 * milliseconds, seconds, 4 * seconds};
/// An initiation is ignored when the last one of the same peer is nearer than this.
constexpr Nanos initiation_spacing = 20 * milliseconds;

/// Tuning: packets kept for a peer while it has no session or no path. Enough for the start of a TCP window.
constexpr size_t staged_limit = 128;

/// How a datagram came.
struct Arrival {
  Path via;  // `to` is the sender
  /// External only: the peer whose relay brought it.
  PeerId external_peer = 0;
};

enum class ProbeKind : uint8_t { ping = 1, pong = 2, message = 3, pace_request = 4, pace_report = 5 };
/// First byte of a ping's body: answer over the external path too.
constexpr uint8_t ping_doubly = 1;

struct CoreCounters {
  uint64_t rejected = 0, tx_dropped = 0, route_misses = 0;
};

class Core {
 public:
  Core(const Key& private_key, size_t mtu, Random random);

  const Identity& identity() const { return identity_; }
  size_t mtu() const { return mtu_; }
  CoreCounters& counters() { return counters_; }

  // Peers. A key of low order, our own or one that exists already gives nothing.
  std::optional<PeerId> add_peer(const PublicKey& key, const PeerConfig& config);
  void update_peer(const Now& now, Peer& peer, const PeerChange& change);
  void remove_peer(PeerId id);
  Peer* find(PeerId id);
  const std::unordered_map<PeerId, std::unique_ptr<Peer>>& peers() const { return peers_; }
  void set_path(const Now& now, Peer& peer, Path path, Path duplicate, Effects& effects);
  /// Paths over a socket that closes become "hold".
  void forget_socket(const udp::Socket& socket);

  // From the host.
  Peer* route(const InnerHeader& inner) const { return routes_.find(inner.v4, inner.destination); }
  /// Whether a packet from the host is to be copied to every member of the fan-out, or to nobody.
  FanoutVerdict fan_out(const Now& now, const InnerHeader& inner, ByteView packet, Effects& effects);
  /// Whether `fan_out` may have something to say about it.
  bool may_be_for_all(const InnerHeader& inner) const {
    return inner.v4 && fanout_.enabled() && fanout_.addresses_all(load_be32(inner.destination.data()));
  }
  bool takes_fanout(const Peer& peer) const { return peer.config.fanout && peer.path.kind != PathKind::none; }
  Fanout& fanout() { return fanout_; }
  void set_filter(std::optional<FilterOptions> options) { filter_.set(std::move(options)); }
  /// Notes what the host sends to the peer, so that answers to it pass the filter.
  void follow_host(const Now& now, Peer& peer, ByteView inner) { filter_.from_host(peer.filter, inner, now.boot_ns); }
  /// The session to seal with, or nothing: then the packet is to be staged. Begins handshakes as the paper says.
  const std::shared_ptr<Session>& session_for_data(const Now& now, Peer& peer, Effects& effects);
  void stage(Peer& peer, ByteView inner);
  /// Data packets of `sealed` bytes in all are about to leave.
  void data_sent(const Now& now, Peer& peer, size_t sealed, size_t packets = 1);

  // From the network.
  /// Handles everything but data; for data returns the session that may open it.
  std::shared_ptr<Session> receive(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects);
  /// After `session` opened `inner` of a message of `sealed` bytes: the bytes for the host, empty for none. The segment
  /// size that a SYN announces is lowered in place.
  ByteView received_data(const Now& now, Session& session, const Arrival& arrival, ByteSpan inner, size_t sealed,
                         Effects& effects);

  // Time.
  void run_timers(const Now& now, Effects& effects);
  /// Not later than the next moment at which run_timers has work.
  Nanos next_deadline() const { return earliest_; }

  // Probes. Empty when the peer has no probe keys.
  std::vector<uint8_t> seal_probe(Peer& peer, ProbeKind kind, uint64_t seq, ByteView body);
  /// `doubly`: the ping asks for an answer over the external path too.
  void ping_sent(Peer& peer, uint64_t seq, bool doubly, double now_ms);
  udp::StunTransactions& stun() { return stun_; }
  /// How many addresses, in all, may be answered for which nothing has left lately. Any number while this is not said.
  void allow_new_remotes(uint64_t total) { new_remotes_allowed_ = total; }
  /// A datagram leaves `socket` for `to`.
  void sends(const Now& now, const udp::Socket& socket, const Endpoint& to) { reached_.note(now.boot_ns, socket.id(), to); }

  // Pacing.
  /// A request that asks the peer what has reached it; empty when it has no probe keys. It is to leave on its path.
  std::vector<uint8_t> ask_for_pace(const Now& now, Peer& peer);

  LoadMonitor& load() { return load_; }

 private:
  struct IndexEntry {
    PeerId peer;
    std::shared_ptr<Session> session;  // empty while the initiation waits for its response
  };

  // core.cc
  void set_probe(Peer& peer, const std::optional<ProbeKeys>& keys);
  uint32_t fresh_index(PeerId peer);
  void set_inner_limit(Peer& peer) const;
  void drop_session(std::shared_ptr<Session>& session);
  void drop_pending(Peer& peer);
  void install(Peer& peer, std::shared_ptr<Session>& slot, std::shared_ptr<Session> session);
  void transmit(const Peer& peer, const Path& path, ByteView bytes, Effects& effects);
  void transmit_everywhere(Peer& peer, ByteView bytes, Effects& effects);

  // core_data.cc
  void flush_staged(const Now& now, Peer& peer, Effects& effects);
  void send_sealed(const Now& now, Peer& peer, ByteSpan buffer, size_t length, Effects& effects);
  /// The first packet under a key that we began is what makes it stand for the other side: it is repeated until something comes.
  void await_confirmation(const Now& now, Peer& peer);
  void confirm(const Now& now, Peer& peer, Effects& effects);
  void send_keepalive(const Now& now, Peer& peer, Effects& effects);
  static bool usable(const Now& now, const std::shared_ptr<Session>& session);

  // core_handshake.cc
  void begin_handshake(const Now& now, Peer& peer, Effects& effects);
  void restart_handshake(const Now& now, Peer& peer, Effects& effects);
  void send_initiation(const Now& now, Peer& peer, Effects& effects);
  bool admit(const Now& now, const Arrival& arrival, ByteView message, Effects& effects);
  void receive_initiation(const Now& now, const Arrival& arrival, ByteView message, Effects& effects);
  void receive_response(const Now& now, const Arrival& arrival, ByteView message, Effects& effects);
  void receive_cookie_reply(const Now& now, ByteView message);
  void respond(const Now& now, Peer& peer, const Arrival& arrival, const AcceptedInitiation& initiation,
               Effects& effects);
  void session_began(const Now& now, Peer& peer, Effects& effects);

  // core_receive.cc
  std::shared_ptr<Session> session_of(ByteView message);
  void receive_stun(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects);
  void roam(Peer& peer, const Arrival& arrival, Effects& effects);
  void reject() { counters_.rejected++; }

  // core_timers.cc
  void arm(Nanos& deadline, Nanos at);
  Nanos jitter();
  void on_data_sent(const Now& now, Peer& peer);
  void on_data_received(const Now& now, Peer& peer);
  void on_authenticated_sent(const Now& now, Peer& peer);
  void on_authenticated_received(const Now& now, Peer& peer);
  void on_traversal(const Now& now, Peer& peer);
  void on_session_derived(const Now& now, Peer& peer);
  void run_peer_timers(const Now& now, Peer& peer, Effects& effects);
  void retry_handshake(const Now& now, Peer& peer, Effects& effects);
  void zero_keys(Peer& peer);

  // core_probes.cc
  void receive_probe(const Now& now, const Arrival& arrival, ByteView datagram, Effects& effects);
  void answer_ping(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, bool doubly, size_t size,
                   Effects& effects);
  bool knows(const Now& now, const Peer& peer, const Path& way) const;
  Answer answer_to(const Now& now, const Peer& peer, const Path& way);
  bool take_pong(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, ByteView body, Effects& effects);

  // core_pacing.cc
  bool receive_pace(const Now& now, Peer& peer, const Arrival& arrival, ProbeKind kind, uint64_t seq, ByteView body,
                    Effects& effects);
  void report_pace(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, Effects& effects);
  bool take_pace_report(const Now& now, Peer& peer, uint64_t seq, ByteView body);

  const Identity identity_;
  const size_t mtu_;
  const Random random_;
  CookieChecker cookie_checker_;
  RateLimiter rate_limiter_;
  LoadMonitor load_;
  Tai64nClock stamps_;
  udp::StunTransactions stun_;
  AllowedIps routes_;
  Filter filter_;
  std::unordered_map<PeerId, std::unique_ptr<Peer>> peers_;
  std::map<PublicKey, PeerId> by_key_;
  std::unordered_map<uint32_t, IndexEntry> indices_;
  std::unordered_map<uint64_t, PeerId> by_probe_tag_;
  Reached reached_;
  static constexpr uint64_t any_number = ~uint64_t{0};
  uint64_t new_remotes_ = 0, new_remotes_allowed_ = any_number;
  PeerId last_peer_ = 0;
  Fanout fanout_;
  Nanos earliest_ = never;
  CoreCounters counters_;
};

}  // namespace wg
