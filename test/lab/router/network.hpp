// The routed world: a tree of nodes below one root that plays the Internet's core.
//
//   TUN (host or gateway namespace) -> node's NAT or firewall -> uplink -> parent ... -> root
//   root -> route by address -> downlink -> node's NAT or firewall -> TUN
//
// A node may have children (a carrier's NAT above its customers') and an interface of its own.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "firewall.hpp"
#include "json.hpp"
#include "link.hpp"
#include "nat.hpp"
#include "schedule.hpp"
#include "tun.hpp"

namespace natbox {

/** Addresses of one IP version under a common prefix. */
struct Prefix {
  int version = 4;
  std::array<std::uint8_t, 16> address{};
  int bits = 0;

  /** Reads "198.51.100.0/24" or a single address. Throws std::runtime_error. */
  static Prefix parse(const std::string& text);
  /** Whether the destination (or the source) of a packet lies in it. */
  bool covers(const Packet& p, bool destination) const;
};

/** A rule that drops packets at a node's outer side. */
struct Block {
  bool up = true;
  bool down = true;
  std::vector<Prefix> remote;  // empty: every remote
  std::vector<std::uint8_t> protocols;  // empty: all
};

struct NodeStats {
  std::uint64_t up = 0;
  std::uint64_t down = 0;
  std::uint64_t blocked = 0;
  std::uint64_t refused = 0;  // by the NAT or the firewall
  std::uint64_t unroutable = 0;
  std::uint64_t ttlExpired = 0;
  std::uint64_t malformed = 0;
  std::uint64_t interfaceDrops = 0;
};

struct Node {
  std::string name;
  Node* parent = nullptr;
  std::vector<Node*> children;
  /** What the parent routes to this node. With a NAT its external addresses are added. */
  std::vector<Prefix> prefixes;
  std::unique_ptr<Tun> tun;
  std::unique_ptr<Nat> nat;
  std::unique_ptr<Firewall> firewall;
  std::unique_ptr<Link> uplink;
  std::unique_ptr<Link> downlink;
  std::vector<Block> blocks;
  bool udpBlocked = false;
  Time downUntil = 0;  // a rebooting box passes nothing
  NodeStats stats;
};

class Network {
 public:
  /** Builds the tree from `{"seed", "routerAddress", "nodes": [...]}`. Throws std::runtime_error. */
  explicit Network(const Json& config);

  /** Nodes that have an interface, to wait for packets on. */
  const std::vector<Node*>& interfaces() const { return interfaces_; }
  void readInterface(Node& node, Time now);
  std::optional<Time> next() const { return schedule_.next(); }
  void runDue(Time now) { schedule_.runDue(now); }

  /** Carries out one control message and answers with the members of the reply ("" for none). Throws std::runtime_error. */
  std::string control(const Json& message, Time now);

 private:
  void addNode(const Json& config, std::uint64_t seed);
  void fromBelow(Node& node, Packet p, Time now);
  void fromAbove(Node& node, Packet p, Time now);
  void deliverInside(Node& node, Packet p, Time now);
  void sendUp(Node& node, Packet p, Time now);
  void sendDown(Node& node, Packet p, Time now);
  bool forward(Node& at, Packet& p, int hops, Time now);
  bool blocked(Node& node, const Packet& p, bool up, Time now) const;
  Node* childFor(const Node& node, const Packet& p) const;
  Node& named(const Json& message);
  std::string statsOf(Node& node, Time now);

  Schedule schedule_;
  std::uint32_t routerAddress_;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> nodes_;
  Node root_;
  std::vector<Node*> interfaces_;
};

}  // namespace natbox
