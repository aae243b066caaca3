// A stateful firewall without translation, for both IP versions: what was not asked for does not come in.
#pragma once

#include <map>
#include <string>

#include "packet.hpp"

namespace natbox {

class Firewall {
 public:
  /** `udpLifetime`: idle time after which a UDP flow is forgotten. */
  explicit Firewall(Time udpLifetime) : udpLifetime_(udpLifetime) {}

  void outbound(const Packet& p, Time now);
  /** Whether an inbound packet belongs to a known flow, is an ICMP error, or an ICMPv6 echo request (RFC 4890 lets those in). */
  bool inbound(const Packet& p, Time now);
  void flush() { flows_.clear(); }
  std::size_t flows() const { return flows_.size(); }

 private:
  void sweep(Time now);

  Time udpLifetime_;
  Time lastSweep_ = 0;
  std::map<std::string, Time> flows_;  // protocol, inside and outside address and port, to expiry
};

}  // namespace natbox
