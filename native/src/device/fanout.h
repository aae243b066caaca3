// Broadcast and multicast between the host and the members: what is carried, how much of it, and never twice or in a circle.
//
//   from_host    a packet from the TUN: to be copied to every member, refused, or no affair of ours
//   from_peer    a packet that a member sent: for the host, refused, or no affair of ours
//
// Only UDP is carried, to 255.255.255.255, the subnet's directed broadcast and 224.0.0.0/4, without the protocols by which
// routers and hosts run their own network. Packets to one member are not looked at. Pure: the clock is an argument.
#pragma once

#include <utility>
#include <vector>

#include "event.h"
#include "fanout_packet.h"

namespace wg {

/// What a member may send to all (design: LAN games). Packets are counted once, bytes after multiplication.
constexpr double fanout_packets_a_second = 200, fanout_burst = 400;
constexpr double fanout_bytes_a_second = 250'000;
/// The same packet again within this time is a duplicate, or an echo of what the tunnel brought. Shorter than any game's
/// own repetition, longer than the detour through a relaying program on the same host or LAN.
constexpr Nanos fanout_duplicate_window = 50'000'000;
/// Fragments of one datagram share its fate for this long: they leave together, so this is plenty.
constexpr Nanos fanout_fragment_window = 1'000'000'000;
/// Tuning: what the owner sees of each sender. Ten games announce themselves within that.
constexpr double fanout_samples_a_second = 5, fanout_sample_burst = 10;
constexpr size_t fanout_sample_bytes = 512;

enum class FanoutVerdict : uint8_t { not_ours, carry, refuse };

/// Everything that was counted, since the device opened.
struct FanoutCounters {
  /// From the host: packets carried, and copies made of them.
  uint64_t sent = 0, copies = 0;
  /// From members, handed to the host.
  uint64_t received = 0;
  /// Over the limits.
  uint64_t rate_limited = 0;
  uint64_t duplicates = 0;
  /// Came from the tunnel and were about to go back into it.
  uint64_t loops = 0;
  /// Not for friends: DHCP, NetBIOS, routing protocols, anything but UDP.
  uint64_t refused = 0;
};

/// Tokens that come back with time; a cost may overdraw, and then nothing passes until it is paid.
class TokenBucket {
 public:
  TokenBucket(double a_second, double burst) : a_second_(a_second), burst_(burst), tokens_(burst) {}

  bool ready(Nanos now);
  void spend(double cost) { tokens_ -= cost; }

 private:
  double a_second_, burst_, tokens_;
  Nanos at_ = 0;
};

/// Signatures seen lately. Bounded: a full place forgets its older entry, which costs one duplicate.
class RecentPackets {
 public:
  bool seen(uint64_t signature, Nanos now) const;
  void add(uint64_t signature, Nanos now);

 private:
  struct Entry {
    uint64_t signature = 0;
    Nanos at = 0;
  };
  std::array<Entry, 2'048> entries_{};
};

/// What happened to the first fragment of a datagram, for the others.
class FragmentFates {
 public:
  std::optional<bool> carried(uint64_t datagram, Nanos now) const;
  void note(uint64_t datagram, bool carried, Nanos now);

 private:
  struct Entry {
    uint64_t datagram = 0;
    bool carried = false;
    Nanos at = 0;
  };
  std::array<Entry, 256> entries_{};
};

/// Limits of one sender, for both directions alike.
class FanoutGate {
 public:
  bool ready(Nanos now) { return packets_.ready(now) && bytes_.ready(now); }
  void spend(size_t bytes) {
    packets_.spend(1);
    bytes_.spend(static_cast<double>(bytes));
  }
  void spend_bytes(size_t bytes) { bytes_.spend(static_cast<double>(bytes)); }
  bool may_sample(Nanos now);

  uint64_t carried = 0, dropped = 0;

 private:
  TokenBucket packets_{fanout_packets_a_second, fanout_burst};
  TokenBucket bytes_{fanout_bytes_a_second, fanout_bytes_a_second};
  TokenBucket samples_{fanout_samples_a_second, fanout_sample_burst};
};

/// Where copies of broadcasts to other networks belong; host order.
struct FanoutSubnet {
  uint32_t own, broadcast;
};

class Fanout {
 public:
  /// `own`: this host's address in the subnet, where it is known. Off, the last broadcast address stays known, so that what
  /// members send there does not pass for a packet to one host.
  void configure(bool enabled, std::optional<uint32_t> directed_broadcast, std::optional<uint32_t> own);
  bool enabled() const { return enabled_; }
  /// Nothing while nothing is to be copied.
  std::optional<FanoutSubnet> copies_to() const;
  /// Whether an address is no single member's: broadcast or multicast.
  bool addresses_all(uint32_t destination) const {
    return destination == limited_broadcast || is_multicast(destination) || destination == directed_broadcast_;
  }
  const FanoutCounters& counters() const { return counters_; }

  /// `from_member`: the source address is a member's. `copies`: members that it would go to. A sample goes to `events`.
  FanoutVerdict from_host(const Now& now, ByteView packet, bool from_member, size_t copies, std::vector<Event>& events);
  /// `gate` is the sender's own.
  FanoutVerdict from_peer(const Now& now, PeerId peer, FanoutGate& gate, ByteView packet, std::vector<Event>& events);

  /// Takes the answers to IGMP queries of the host, IPv4 packets for it. Members would all say the same: "I do".
  std::vector<std::vector<uint8_t>> take_answers() { return std::exchange(answers_, {}); }

 private:
  FanoutVerdict refuse(uint64_t& counter);
  FanoutVerdict fragment_from_host(const Now& now, const Ipv4Packet& packet, uint64_t datagram, size_t copies);
  void answer_query(const Ipv4Packet& packet);

  bool enabled_ = false;
  std::optional<uint32_t> directed_broadcast_, own_;
  FanoutCounters counters_;
  FanoutGate host_;
  RecentPackets sent_, received_, delivered_;
  FragmentFates fates_;
  std::vector<std::vector<uint8_t>> answers_;
};

}  // namespace wg
