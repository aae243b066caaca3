#include "network.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace natbox {
namespace {

/** Packets taken from one interface before the others have their turn. */
constexpr int kReadBatch = 64;

/** Link-local traffic, multicast and broadcast end at the first router. */
bool isRoutable(const Packet& p) {
  if (ipVersion(p) == 4 && p.size() >= 20) return p[16] < 224 && p[16] != 0 && !(p[16] == 169 && p[17] == 254);
  if (ipVersion(p) == 6 && p.size() >= 40) return p[24] != 0xff && !(p[24] == 0xfe && (p[25] & 0xc0) == 0x80) && !(p[8] == 0xfe && (p[9] & 0xc0) == 0x80);
  return false;
}

}  // namespace

Prefix Prefix::parse(const std::string& text) {
  Prefix out;
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  out.version = address.find(':') == std::string::npos ? 4 : 6;
  if (inet_pton(out.version == 4 ? AF_INET : AF_INET6, address.c_str(), out.address.data()) != 1) {
    throw std::runtime_error("not a prefix: " + text);
  }
  out.bits = slash == std::string::npos ? (out.version == 4 ? 32 : 128) : std::stoi(text.substr(slash + 1));
  return out;
}

bool Prefix::covers(const Packet& p, bool destination) const {
  if (ipVersion(p) != version) return false;
  const std::size_t length = version == 4 ? 4 : 16;
  const std::size_t at = (version == 4 ? 12 : 8) + (destination ? length : 0);
  if (p.size() < at + length) return false;
  for (int bit = 0; bit < bits; bit += 8) {
    const auto index = static_cast<std::size_t>(bit / 8);
    const auto mask = bits - bit >= 8 ? 0xff : 0xff << (8 - (bits - bit)) & 0xff;
    if (((p[at + index] ^ address[index]) & mask) != 0) return false;
  }
  return true;
}

Network::Network(const Json& config) : routerAddress_(parseAddress(config["routerAddress"].text("198.51.100.1"))) {
  root_.name = "core";
  const auto seed = static_cast<std::uint64_t>(config["seed"].number(1));
  for (const Json& node : config["nodes"].items()) addNode(node, seed);
}

void Network::addNode(const Json& config, std::uint64_t seed) {
  auto owned = std::make_unique<Node>();
  Node& node = *owned;
  node.name = config["name"].text();
  const std::string parent = config["parent"].text();
  const auto found = nodes_.find(parent);
  if (!parent.empty() && found == nodes_.end()) throw std::runtime_error("no such parent: " + parent);
  node.parent = parent.empty() ? &root_ : found->second.get();
  for (const Json& prefix : config["prefixes"].items()) node.prefixes.push_back(Prefix::parse(prefix.text()));
  if (!config["nat"].isNull()) node.nat = std::make_unique<Nat>(NatOptions::from(config["nat"]), Random(seed, node.name));
  if (!config["firewall"].isNull()) {
    node.firewall = std::make_unique<Firewall>(static_cast<Time>(config["firewall"]["lifetimeMs"].number(60000)) * kMillisecond);
  }
  node.udpBlocked = config["udpBlocked"].boolean(false);
  LinkOptions up, down;
  up.apply(config["up"]);
  down.apply(config["down"]);
  // A packet that is too big is answered towards where it came from, past the link's own delay.
  node.uplink = std::make_unique<Link>(
      up, Random(seed, node.name + " up"), schedule_,
      [this, &node](Packet p, Time now) {
        if (forward(node, p, 1 + node.uplink->options().hops, now)) fromBelow(*node.parent, std::move(p), now);
      },
      [this, &node](Packet p, Time now) { fromAbove(node, tooBig(p, routerAddress_, node.uplink->options().mtu), now); });
  node.downlink = std::make_unique<Link>(
      down, Random(seed, node.name + " down"), schedule_,
      [this, &node](Packet p, Time now) {
        // A gateway namespace counts its own hop in the kernel; a node without an interface is a router of ours.
        const int hops = node.downlink->options().hops + (node.tun == nullptr ? 1 : 0);
        if (hops == 0 || forward(*node.parent, p, hops, now)) fromAbove(node, std::move(p), now);
      },
      [this, &node](Packet p, Time now) { fromBelow(*node.parent, tooBig(p, routerAddress_, node.downlink->options().mtu), now); });
  const Json& tun = config["tun"];
  if (!tun.isNull()) {
    node.tun = std::make_unique<Tun>(tun["netns"].text(), tun["name"].text(), static_cast<int>(tun["mtu"].number(1500)));
    interfaces_.push_back(&node);
  }
  node.parent->children.push_back(&node);
  if (!nodes_.emplace(node.name, std::move(owned)).second) throw std::runtime_error("two nodes named " + config["name"].text());
}

void Network::readInterface(Node& node, Time now) {
  for (int count = 0; count < kReadBatch; ++count) {
    auto p = node.tun->read();
    if (!p) return;
    if (isRoutable(*p)) fromBelow(node, std::move(*p), now);
  }
}

/** Takes the hops off; where the packet ends, its sender is told (the error starts at the node it came from). */
bool Network::forward(Node& at, Packet& p, int hops, Time now) {
  if (decrementTtl(p, hops)) return true;
  ++at.stats.ttlExpired;
  Packet error = timeExceeded(p, routerAddress_);
  if (error.empty()) return false;
  if (Node* child = childFor(at, error)) sendDown(*child, std::move(error), now);
  else if (&at != &root_) fromAbove(at, std::move(error), now);
  return false;
}

/** A packet from the node's own interface or from a child. */
void Network::fromBelow(Node& node, Packet p, Time now) {
  if (p.empty()) return;
  if (Node* child = childFor(node, p)) {
    sendDown(*child, std::move(p), now);
    return;
  }
  if (node.parent == nullptr) {
    ++node.stats.unroutable;
    return;
  }
  if (node.nat && ipVersion(p) == 4) {
    const bool home = p.size() >= 20 && node.nat->owns(get32(p, 16));
    if (!(home ? node.nat->hairpin(p, now) : node.nat->outbound(p, now))) {
      ++node.stats.refused;
      return;
    }
    if (home) {
      deliverInside(node, std::move(p), now);
      return;
    }
  } else if (node.firewall) {
    node.firewall->outbound(p, now);
  }
  sendUp(node, std::move(p), now);
}

void Network::sendUp(Node& node, Packet p, Time now) {
  if (blocked(node, p, true, now)) {
    ++node.stats.blocked;
    return;
  }
  ++node.stats.up;
  node.uplink->send(std::move(p), now);
}

void Network::sendDown(Node& node, Packet p, Time now) { node.downlink->send(std::move(p), now); }

/** A packet that arrives at the node's outer side. */
void Network::fromAbove(Node& node, Packet p, Time now) {
  if (p.empty()) return;
  if (blocked(node, p, false, now)) {
    ++node.stats.blocked;
    return;
  }
  const bool translated = node.nat && ipVersion(p) == 4;
  const bool passed = translated ? node.nat->inbound(p, now) : !node.firewall || node.firewall->inbound(p, now);
  if (!passed) {
    ++node.stats.refused;
    return;
  }
  ++node.stats.down;
  deliverInside(node, std::move(p), now);
}

void Network::deliverInside(Node& node, Packet p, Time now) {
  if (Node* child = childFor(node, p)) {
    sendDown(*child, std::move(p), now);
    return;
  }
  if (!node.tun) ++node.stats.unroutable;
  else if (!node.tun->write(p)) ++node.stats.interfaceDrops;
}

bool Network::blocked(Node& node, const Packet& p, bool up, Time now) const {
  if (node.downUntil > now) return true;
  const auto protocol = protocolOf(p);
  if (!protocol) return true;
  if (node.udpBlocked && *protocol == kUdp) return true;
  return std::any_of(node.blocks.begin(), node.blocks.end(), [&](const Block& rule) {
    if (!(up ? rule.up : rule.down)) return false;
    const bool concerned = rule.protocols.empty() || std::find(rule.protocols.begin(), rule.protocols.end(), *protocol) != rule.protocols.end();
    if (!concerned) return false;
    return rule.remote.empty() || std::any_of(rule.remote.begin(), rule.remote.end(), [&](const Prefix& prefix) { return prefix.covers(p, up); });
  });
}

Node* Network::childFor(const Node& node, const Packet& p) const {
  for (Node* child : node.children) {
    if (child->nat && ipVersion(p) == 4 && p.size() >= 20 && child->nat->owns(get32(p, 16))) return child;
    for (const Prefix& prefix : child->prefixes) {
      if (prefix.covers(p, true)) return child;
    }
  }
  return nullptr;
}

}  // namespace natbox
