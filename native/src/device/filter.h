// Who may reach this host through the tunnel: answers to what the host began, and what the rules accept.
//
//   rules       what members may begin              FilterRules
//   flows       what the host began, what they did  PeerFilter, one a peer: nobody's traffic forgets another's
//   verdict     from_host, then accepts             filter.cc
#pragma once

#include <vector>

#include "allowed_ips.h"
#include "filter_flows.h"

namespace wg {

struct PortRange {
  uint16_t low, high;
};

struct FilterRule {
  bool accept;
  /// Nothing: any. ip_protocol::icmp stands for echo requests of both families.
  std::optional<uint8_t> protocol{};
  /// Ports of this host; empty: any. Only TCP and UDP packets match a rule with ports.
  std::vector<PortRange> ports{};
};

/// The first rule that matches decides.
struct FilterRules {
  std::vector<FilterRule> rules{};
  /// For what no rule matches.
  bool accept = true;
};

struct FilterOptions {
  FilterRules rules{};
  /// What members may send to beside broadcast and multicast; empty: anything.
  std::vector<Prefix> destinations{};
  /// The subnet's, as a number; 255.255.255.255 and multicast are known.
  std::optional<uint32_t> directed_broadcast{};
};

/// Tuning: flows a peer. A member's own flood pushes out flows of that member alone; 1,024 pass what a game browser opens.
constexpr size_t flow_limit = 1'024;
/// Fragmented datagrams a peer that are on their way at one time.
constexpr size_t fragment_limit = 64;

/// What the filter remembers of one peer.
struct PeerFilter {
  /// Instead of the device's.
  std::optional<FilterRules> rules;
  /// Begun by this host: its answers pass whatever the rules say.
  FlowTable ours{flow_limit};
  /// Begun by the peer: what the host answers there does not make them ours.
  FlowTable theirs{flow_limit};
  FlowTable fragments{fragment_limit};
};

/// Time-outs in the clock of the caller (that of Core). One caller at a time.
class Filter {
 public:
  explicit Filter(uint64_t seed) : seed_(seed) {}

  /// Nothing turns it off: everything passes, nothing is remembered.
  void set(std::optional<FilterOptions> options) { options_ = std::move(options); }

  /// A packet of the host on its way to the peer.
  void from_host(PeerFilter& peer, ByteView packet, Nanos now) const;
  /// Whether a packet of the peer may reach the host.
  bool accepts(PeerFilter& peer, ByteView packet, Nanos now) const;

 private:
  enum class Verdict : uint8_t { accept, deny, deny_by_default };

  bool is_group(const PacketView& view) const;
  bool wanted_destination(const PacketView& view) const;
  bool answers(PeerFilter& peer, const PacketView& view, Nanos now) const;
  bool answers_search(PeerFilter& peer, const PacketView& view, Nanos now) const;
  bool about_a_flow(PeerFilter& peer, const PacketView& view, Nanos now) const;
  bool judge(PeerFilter& peer, const PacketView& view, Nanos now) const;
  Verdict by_rules(const PeerFilter& peer, const PacketView& view) const;

  uint64_t seed_;
  std::optional<FilterOptions> options_;
};

}  // namespace wg
