// Control messages: what a test does to the network while it runs.
#include "network.hpp"

namespace natbox {
namespace {

/** Protocol numbers by name; empty for any. */
std::vector<std::uint8_t> protocolsFrom(const Json& message) {
  const std::string protocol = message["protocol"].text("any");
  if (protocol == "any") return {};
  if (protocol == "udp") return {kUdp};
  if (protocol == "tcp") return {kTcp};
  if (protocol == "icmp") return {kIcmp, kIcmp6};
  throw std::runtime_error("protocol is udp, tcp, icmp or any");
}

Block blockFrom(const Json& message) {
  Block out;
  const std::string direction = message["direction"].text("both");
  if (direction != "both" && direction != "up" && direction != "down") throw std::runtime_error("direction is up, down or both");
  out.up = direction != "down";
  out.down = direction != "up";
  for (const Json& remote : message["remote"].items()) out.remote.push_back(Prefix::parse(remote.text()));
  out.protocols = protocolsFrom(message);
  return out;
}

std::vector<std::uint32_t> addressesFrom(const Json& message) {
  std::vector<std::uint32_t> out;
  for (const Json& address : message["external"].items()) out.push_back(parseAddress(address.text()));
  return out;
}

Nat& natOf(Node& node) {
  if (!node.nat) throw std::runtime_error(node.name + " has no NAT");
  return *node.nat;
}

std::string member(const char* name, std::uint64_t value) { return "\"" + std::string(name) + "\":" + std::to_string(value); }

std::string linkStats(const Link& link) {
  const LinkStats& stats = link.stats();
  return "{" + member("packets", stats.packets) + "," + member("bytes", stats.bytes) + "," + member("lost", stats.lost) + "," +
         member("queueDrops", stats.queueDrops) + "," + member("tooBig", stats.tooBig) + "}";
}

}  // namespace

Node& Network::named(const Json& message) {
  const auto found = nodes_.find(message["node"].text());
  if (found == nodes_.end()) throw std::runtime_error("no such node: " + message["node"].text());
  return *found->second;
}

std::string Network::statsOf(Node& node, Time now) {
  const NodeStats& stats = node.stats;
  std::string out = "{" + member("up", stats.up) + "," + member("down", stats.down) + "," + member("blocked", stats.blocked) + "," +
                    member("refused", stats.refused) + "," + member("unroutable", stats.unroutable) + "," +
                    member("ttlExpired", stats.ttlExpired) + "," + member("interfaceDrops", stats.interfaceDrops) +
                    ",\"uplink\":" + linkStats(*node.uplink) + ",\"downlink\":" + linkStats(*node.downlink);
  if (node.nat) {
    const NatStats& nat = node.nat->stats();
    out += ",\"nat\":{" + member("mappings", node.nat->mappings(now)) + "," + member("sessions", node.nat->sessions(now)) + "," +
           member("mappingsCreated", nat.mappingsCreated) + "," + member("sessionsCreated", nat.sessionsCreated) + "," +
           member("filtered", nat.filtered) + "," + member("exhausted", nat.exhausted) + "}";
  }
  return out + "}";
}

std::string Network::control(const Json& message, Time now) {
  const std::string operation = message["op"].text();
  if (operation == "stats") {
    std::string out;
    for (const auto& [name, node] : nodes_) out += (out.empty() ? "" : ",") + quoted(name) + ":" + statsOf(*node, now);
    return "\"nodes\":{" + out + "}";
  }
  Node& node = named(message);
  if (operation == "flush") {
    const auto protocols = protocolsFrom(message);
    if (node.nat) node.nat->flush(protocols.empty() ? std::uint8_t{0} : protocols.front());
    if (node.firewall) node.firewall->flush();
  } else if (operation == "reboot") {
    node.downUntil = now + static_cast<Time>(message["downMs"].number(0)) * kMillisecond;
    if (node.firewall) node.firewall->flush();
    const auto addresses = addressesFrom(message);
    if (!addresses.empty()) natOf(node).setExternal(addresses);
    else if (node.nat) node.nat->reboot();
  } else if (operation == "external") {
    const auto addresses = addressesFrom(message);
    if (addresses.empty()) throw std::runtime_error("a NAT needs an external address");
    natOf(node).setExternal(addresses);
  } else if (operation == "block") {
    node.blocks.push_back(blockFrom(message));
  } else if (operation == "unblock") {
    node.blocks.clear();
  } else if (operation == "udp") {
    node.udpBlocked = message["blocked"].boolean(true);
  } else if (operation == "link") {
    const std::string direction = message["direction"].text("both");
    if (direction != "down") node.uplink->configure(message["set"]);
    if (direction != "up") node.downlink->configure(message["set"]);
  } else {
    throw std::runtime_error("unknown operation: " + operation);
  }
  return "";
}

}  // namespace natbox
