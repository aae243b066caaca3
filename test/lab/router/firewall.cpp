#include "firewall.hpp"

#include <optional>

namespace natbox {
namespace {

constexpr Time kOtherLifetime = 7440 * kSecond;

/** Identifies a flow from the inside's point of view; nothing for what is not a flow (ICMP errors, malformed packets). */
std::optional<std::string> flowKey(const Packet& p, bool outward) {
  const auto protocol = protocolOf(p);
  if (!protocol) return std::nullopt;
  const bool v4 = ipVersion(p) == 4;
  const std::size_t l4 = v4 ? static_cast<std::size_t>(p[0] & 0x0f) * 4 : 40;
  const std::size_t source = v4 ? 12 : 8;
  const std::size_t length = v4 ? 4 : 16;
  if (p.size() < l4 + 8) return std::nullopt;
  const auto bytes = [&](std::size_t at, std::size_t count) {
    return std::string(p.begin() + static_cast<std::ptrdiff_t>(at), p.begin() + static_cast<std::ptrdiff_t>(at + count));
  };
  std::string ports[2];
  if (*protocol == kUdp || *protocol == kTcp) {
    ports[0] = bytes(l4, 2);
    ports[1] = bytes(l4 + 2, 2);
  } else if (*protocol == kIcmp || *protocol == kIcmp6) {
    ports[0] = ports[1] = bytes(l4 + 4, 2);  // the identifier of a query
  }
  const std::string from = bytes(source, length) + ports[0];
  const std::string to = bytes(source + length, length) + ports[1];
  return std::string(1, static_cast<char>(*protocol)) + (outward ? from + to : to + from);
}

bool alwaysWelcome(const Packet& p) {
  if (ipVersion(p) == 4) {
    const auto flow = readFlow(p);
    return flow && flow->icmpError;
  }
  if (p.size() <= 40 || p[6] != kIcmp6) return false;
  return p[40] < 128 || p[40] == 128;
}

}  // namespace

void Firewall::outbound(const Packet& p, Time now) {
  sweep(now);
  if (const auto key = flowKey(p, true)) flows_[*key] = now + (protocolOf(p) == kUdp ? udpLifetime_ : kOtherLifetime);
}

bool Firewall::inbound(const Packet& p, Time now) {
  if (alwaysWelcome(p)) return true;
  const auto key = flowKey(p, false);
  if (!key) return false;
  const auto found = flows_.find(*key);
  return found != flows_.end() && found->second > now;
}

void Firewall::sweep(Time now) {
  if (now - lastSweep_ < kSecond) return;
  lastSweep_ = now;
  std::erase_if(flows_, [&](const auto& flow) { return flow.second <= now; });
}

}  // namespace natbox
