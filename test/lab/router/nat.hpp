// One NAT: RFC 4787's mapping and filtering behaviours in every combination, and the ways in which real boxes stray from it.
//
//   outbound  inside -> mapping (found or made) -> source rewritten
//   inbound   external endpoint -> mapping -> filter -> destination rewritten
//   hairpin   inside -> another inside host's external endpoint
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "json.hpp"
#include "packet.hpp"
#include "ports.hpp"
#include "random.hpp"

namespace natbox {

enum class Dependence { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };

struct NatOptions {
  Dependence mapping = Dependence::kEndpointIndependent;
  Dependence filtering = Dependence::kAddressAndPortDependent;
  PortOptions ports;
  /** External addresses; one inside host keeps one ("paired") unless pooling is arbitrary (RFC 4787, REQ-2). */
  std::vector<std::uint32_t> external;
  bool arbitraryPooling = false;
  /** Lets mappings with different remotes share one external port, as netfilter does. */
  bool overload = false;
  Time lifetime = 120 * kSecond;
  /** Filter entries that end before their mapping does. */
  Time filterLifetime = 120 * kSecond;
  bool inboundRefresh = false;
  /** The answer to a datagram that was let in leaves by the mapping that let it in, as in boxes that look up whole flows. */
  bool flows = false;
  bool hairpin = true;
  /** RFC 4787 REQ-10 forbids it, real boxes do it: an inbound ICMP error ends the mapping it is about. */
  bool icmpKillsMappings = false;
  std::size_t maxMappings = 65536;
  std::size_t maxSessions = 1u << 20;

  static NatOptions from(const Json& json);
};

struct NatStats {
  std::uint64_t mappingsCreated = 0;
  std::uint64_t sessionsCreated = 0;
  std::uint64_t filtered = 0;   // inbound, refused by the filter or without a mapping
  std::uint64_t exhausted = 0;  // outbound, no port or table space left
  std::uint64_t unsupported = 0;
};

class Nat {
 public:
  Nat(NatOptions options, Random random);
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;

  /** Whether the address is one of the NAT's external ones. */
  bool owns(std::uint32_t ip) const;

  /** Each translates in place and answers whether the packet goes on. */
  bool outbound(Packet& p, Time now);
  bool inbound(Packet& p, Time now);
  bool hairpin(Packet& p, Time now);

  /** Drops mappings and filter entries, of one protocol or (0) of all; the allocator goes on where it was. */
  void flush(std::uint8_t protocol = 0);
  /** Flushes, and starts the allocator anew. */
  void reboot();
  void setExternal(std::vector<std::uint32_t> addresses);

  std::size_t mappings(Time now);
  std::size_t sessions(Time now);
  const NatStats& stats() const { return stats_; }
  const NatOptions& options() const { return options_; }

 private:
  struct Session {
    Time expires;
  };
  struct Mapping {
    std::uint8_t protocol;
    Endpoint inside;
    Endpoint remote;  // zero where the mapping does not depend on it
    Endpoint external;
    Time expires;
    std::unordered_map<std::uint64_t, Session> sessions;       // remote address and port
    std::unordered_map<std::uint32_t, Time> remoteAddresses;   // for the address-dependent filter
  };
  struct InsideKey {
    std::uint8_t protocol;
    Endpoint inside;
    Endpoint remote;
    bool operator==(const InsideKey&) const = default;
  };
  struct InsideHash {
    std::size_t operator()(const InsideKey& key) const;
  };
  using MappingPtr = std::shared_ptr<Mapping>;

  bool outboundQuery(Packet& p, const Flow& flow, Time now);
  bool outboundError(Packet& p, const Flow& flow, Time now);
  bool inboundError(Packet& p, const Flow& flow, Time now);
  bool laterFragment(Packet& p, const Flow& flow, bool outward, Time now);
  void rememberFragment(const Flow& flow, bool outward, std::uint32_t rewritten, Time now);

  MappingPtr findInside(std::uint8_t protocol, const Endpoint& inside, const Endpoint& remote, Time now);
  MappingPtr create(const Flow& flow, Time now);
  /** Datagrams to `remote` leave by this mapping from now on, unless they have one of their own. */
  void adopt(const MappingPtr& mapping, const Endpoint& remote, Time now);
  MappingPtr findExternal(std::uint8_t protocol, const Endpoint& external, const Endpoint& remote, bool filter, Time now);
  bool passes(const Mapping& mapping, const Endpoint& remote, Time now) const;
  bool touch(Mapping& mapping, const Endpoint& remote, Time now);
  void erase(const MappingPtr& mapping);
  bool isFree(std::uint8_t protocol, const Endpoint& external, const Endpoint& remote, Time now);
  std::uint32_t externalFor(std::uint32_t insideIp);
  Endpoint mappingKey(std::uint8_t protocol, const Endpoint& remote) const;
  Time lifetimeOf(std::uint8_t protocol) const;
  /** Drops what has expired, at most once a second unless forced. */
  void sweep(Time now, bool force);

  NatOptions options_;
  Random random_;
  PortAllocator allocator_;
  NatStats stats_;
  std::unordered_map<InsideKey, MappingPtr, InsideHash> byInside_;
  std::unordered_map<std::uint64_t, std::vector<MappingPtr>> byExternal_;
  /** Adopted; gone when their mapping is. */
  std::unordered_map<InsideKey, std::weak_ptr<Mapping>, InsideHash> byFlow_;
  std::unordered_map<std::uint32_t, std::uint32_t> pairedAddress_;
  std::size_t sessionCount_ = 0;
  Time lastSweep_ = 0;

  struct FragmentTrack {
    std::uint64_t addresses;
    std::uint32_t identification;  // with the protocol above it and the direction
    std::uint32_t rewritten;
    Time seen;
  };
  std::list<FragmentTrack> fragments_;
};

}  // namespace natbox
