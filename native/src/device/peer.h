// What the device knows of one peer.
#pragma once

#include <deque>
#include <limits>
#include <map>

#include "../noise/cookie.h"
#include "../queue/pacer.h"
#include "fanout.h"
#include "filter.h"
#include "fragment.h"
#include "session.h"

namespace wg {

/// Deadline that is not set.
constexpr Nanos never = std::numeric_limits<Nanos>::max();

/// Path MTU of a peer that roams: nobody probes its paths, and less than this no IPv6 link has.
constexpr uint16_t roaming_path_mtu = 1'280;

struct ProbeKeys {
  Key send, receive;
};

/// What an owner chooses; each field may be changed later except the key.
struct PeerConfig {
  Key preshared_key{};
  std::vector<Prefix> allowed_ips{};
  Nanos keepalive = 0;
  bool roaming = false;
  bool fanout = false;
  bool initiate = true;
  std::optional<ProbeKeys> probe{};
  /// Instead of the device's rules.
  std::optional<FilterRules> filter{};
};

/// A change: only what is set.
struct PeerChange {
  std::optional<Key> preshared_key;
  std::optional<std::vector<Prefix>> allowed_ips;
  std::optional<Nanos> keepalive;
  std::optional<bool> roaming, fanout, initiate;
  std::optional<ProbeKeys> probe{};
  /// Inner nothing: the device's rules again.
  std::optional<std::optional<FilterRules>> filter{};
};

struct PeerCounters {
  uint64_t rx_bytes = 0, tx_bytes = 0, rx_packets = 0, tx_packets = 0;
  /// Packets that the filter kept from the host.
  uint64_t filtered = 0;
  std::optional<double> last_handshake_ms, last_received_ms;
};

/// Deadlines of the paper, section 6; `never` while off.
struct Timers {
  Nanos retry_handshake = never;
  Nanos passive_keepalive = never;
  Nanos new_handshake = never;
  Nanos persistent_keepalive = never;
  Nanos confirm = never;
  Nanos zero_keys = never;
};

/// A handshake that this side drives.
struct Attempt {
  bool active = false;
  bool fast = false;
  uint32_t sent = 0;
  Nanos started = 0;
};

/// Requests for reports of one pair of keys, which have a count of their own.
struct PaceState {
  static constexpr size_t kept = 128;
  uint64_t asked = 0, answered = 0;
  /// Send times of the last requests; 0 when the report has come.
  std::array<Nanos, kept> sent{};
};

/// A ping of ours that waits for its pong, or for both of them where the answer was asked for over the external path too.
struct OutstandingPing {
  double sent_ms = 0;
  bool doubly = false;
  bool answered = false;
  bool answered_externally = false;
};

/// Probes of one pair of keys; docs/protocol.md, "Probes".
struct ProbeState {
  ProbeKeys keys;
  Bytes<8> send_tag;
  uint64_t receive_tag;
  ReplayWindow window;
  /// By seq. Seqs rise, so the first is the oldest.
  std::map<uint64_t, OutstandingPing> outstanding;
  PaceState pace;
};

struct Peer {
  Peer(PeerId peer_id, const RemoteIdentity& identity) : id(peer_id), remote(identity) {}

  const PeerId id;
  const RemoteIdentity remote;
  PeerConfig config;
  Path path, duplicate;
  /// Longest inner packet that fits both, at most the TUN's MTU: what is longer leaves as fragments. Set by the core with
  /// every path.
  size_t inner_limit = 0;

  Attempt attempt;
  std::optional<PendingInitiation> pending;
  CookieJar cookies;
  std::optional<Tai64n> latest_timestamp;
  Nanos initiation_received = std::numeric_limits<Nanos>::min() / 2;
  Nanos initiation_sent = std::numeric_limits<Nanos>::min() / 2;

  std::shared_ptr<Session> previous, current, next;
  bool rekeyed_on_receive = false;
  /// Nothing has come under the session that we began: the other side may not know that it stands.
  bool unconfirmed = false;
  size_t confirmations = 0;

  Timers timers;
  std::deque<std::vector<uint8_t>> staged;
  std::unique_ptr<ProbeState> probe;
  PeerFilter filter;
  /// Of what leaves on `path`; begins anew with each path.
  queue::Pacer pacer;
  PeerCounters counters;
  /// Limits of what it sends to all.
  FanoutGate fanout;
};

}  // namespace wg
