#include "nat.hpp"

#include <algorithm>

namespace natbox {
namespace {

/** RFC 5382 asks for two hours and more; the lab's TCP connections (the server's WebSocket) are shorter than their idle time here. */
constexpr Time kTcpLifetime = 7440 * kSecond;
/** RFC 5508, REQ-2. */
constexpr Time kIcmpQueryLifetime = 60 * kSecond;
constexpr Time kFragmentLifetime = 2 * kSecond;
constexpr std::size_t kMaxFragmentTracks = 256;

Dependence dependence(const std::string& text) {
  if (text == "endpoint-independent") return Dependence::kEndpointIndependent;
  if (text == "address-dependent") return Dependence::kAddressDependent;
  if (text == "address-and-port-dependent") return Dependence::kAddressAndPortDependent;
  throw std::runtime_error("unknown behaviour: " + text);
}

Time milliseconds(const Json& json, Time fallback) {
  return static_cast<Time>(json.number(static_cast<double>(fallback / kMillisecond)) * static_cast<double>(kMillisecond));
}

std::uint64_t pack(const Endpoint& endpoint) { return std::uint64_t{endpoint.ip} << 16 | endpoint.port; }
std::uint64_t pack(std::uint8_t protocol, const Endpoint& endpoint) { return std::uint64_t{protocol} << 48 | pack(endpoint); }

}  // namespace

NatOptions NatOptions::from(const Json& json) {
  NatOptions out;
  out.mapping = dependence(json["mapping"].text("endpoint-independent"));
  out.filtering = dependence(json["filtering"].text("address-and-port-dependent"));
  out.ports = PortOptions::from(json["ports"]);
  for (const Json& address : json["external"].items()) out.external.push_back(parseAddress(address.text()));
  if (out.external.empty()) throw std::runtime_error("a NAT needs an external address");
  out.arbitraryPooling = json["pooling"].text("paired") == "arbitrary";
  out.overload = json["overload"].boolean(out.overload);
  out.lifetime = milliseconds(json["lifetimeMs"], out.lifetime);
  out.filterLifetime = milliseconds(json["filterLifetimeMs"], out.lifetime);
  out.inboundRefresh = json["inboundRefresh"].boolean(out.inboundRefresh);
  out.flows = json["flows"].boolean(out.flows);
  out.hairpin = json["hairpin"].boolean(out.hairpin);
  out.icmpKillsMappings = json["icmpKillsMappings"].boolean(out.icmpKillsMappings);
  out.maxMappings = static_cast<std::size_t>(json["maxMappings"].number(static_cast<double>(out.maxMappings)));
  out.maxSessions = static_cast<std::size_t>(json["maxSessions"].number(static_cast<double>(out.maxSessions)));
  return out;
}

Nat::Nat(NatOptions options, Random random)
    : options_(std::move(options)), random_(std::move(random)), allocator_(options_.ports, random_) {}

std::size_t Nat::InsideHash::operator()(const InsideKey& key) const {
  const std::uint64_t mixed = pack(key.protocol, key.inside) * 0x9e3779b97f4a7c15ULL ^ pack(key.remote) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<std::size_t>(mixed ^ mixed >> 29);
}

bool Nat::owns(std::uint32_t ip) const { return std::find(options_.external.begin(), options_.external.end(), ip) != options_.external.end(); }

bool Nat::outbound(Packet& p, Time now) {
  sweep(now, false);
  const auto flow = readFlow(p);
  if (!flow) return false;
  if (flow->laterFragment) return laterFragment(p, *flow, true, now);
  if (flow->protocol == kIcmp && flow->icmpError) return outboundError(p, *flow, now);
  const bool query = flow->protocol == kIcmp && flow->icmpType == 8;
  if (flow->protocol != kUdp && flow->protocol != kTcp && !query) {
    ++stats_.unsupported;
    return false;
  }
  return outboundQuery(p, *flow, now);
}

bool Nat::outboundQuery(Packet& p, const Flow& flow, Time now) {
  MappingPtr mapping = findInside(flow.protocol, flow.source, flow.destination, now);
  if (!mapping) mapping = create(flow, now);
  if (!mapping || !touch(*mapping, flow.destination, now)) {
    ++stats_.exhausted;
    return false;
  }
  rewriteSource(p, flow, mapping->external);
  if (flow.moreFragments) rememberFragment(flow, true, mapping->external.ip, now);
  return true;
}

bool Nat::inbound(Packet& p, Time now) {
  sweep(now, false);
  const auto flow = readFlow(p);
  if (!flow) return false;
  if (flow->laterFragment) return laterFragment(p, *flow, false, now);
  if (flow->protocol == kIcmp && flow->icmpError) return inboundError(p, *flow, now);
  // An echo request finds no mapping (its port reads as zero): nobody behind a NAT is pinged from outside.
  const MappingPtr mapping = findExternal(flow->protocol, flow->destination, flow->source, true, now);
  if (!mapping) {
    ++stats_.filtered;
    return false;
  }
  if (options_.flows && flow->protocol == kUdp) adopt(mapping, flow->source, now);
  if (options_.inboundRefresh || flow->protocol != kUdp) touch(*mapping, flow->source, now);
  rewriteDestination(p, *flow, mapping->inside);
  if (flow->moreFragments) rememberFragment(*flow, false, mapping->inside.ip, now);
  return true;
}

bool Nat::hairpin(Packet& p, Time now) {
  const auto flow = readFlow(p);
  if (!options_.hairpin || !flow || flow->laterFragment || flow->icmpError) {
    ++stats_.filtered;
    return false;
  }
  // No filter here: a box that hairpins at all connects its own inside hosts (RFC 4787, REQ-9).
  const MappingPtr target = findExternal(flow->protocol, flow->destination, flow->source, false, now);
  if (!target) {
    ++stats_.filtered;
    return false;
  }
  if (!outbound(p, now)) return false;
  const auto translated = readFlow(p);
  if (!translated) return false;
  rewriteDestination(p, *translated, target->inside);
  return true;
}

/** An inside host answers an inbound packet with an ICMP error (RFC 5508, section 4.2). */
bool Nat::outboundError(Packet& p, const Flow& flow, Time now) {
  const auto quoted = readFlow(p, quotedAt(flow));
  if (!quoted) return false;
  const MappingPtr mapping = findInside(quoted->protocol, quoted->destination, quoted->source, now);
  if (!mapping) return false;
  rewriteSource(p, flow, {mapping->external.ip, 0});
  rewriteQuotedDestination(p, flow, *quoted, mapping->external);
  return true;
}

/** The outside answers an outbound packet with an ICMP error (RFC 5508, section 4.1). */
bool Nat::inboundError(Packet& p, const Flow& flow, Time now) {
  const auto quoted = readFlow(p, quotedAt(flow));
  if (!quoted) return false;
  const MappingPtr mapping = findExternal(quoted->protocol, quoted->source, quoted->destination, false, now);
  if (!mapping) {
    ++stats_.filtered;
    return false;
  }
  rewriteDestination(p, flow, {mapping->inside.ip, 0});
  rewriteQuotedSource(p, flow, *quoted, mapping->inside);
  if (options_.icmpKillsMappings) erase(mapping);
  return true;
}

void Nat::rememberFragment(const Flow& flow, bool outward, std::uint32_t rewritten, Time now) {
  const std::uint64_t addresses = std::uint64_t{flow.source.ip} << 32 | flow.destination.ip;
  const std::uint32_t id = flow.identification | std::uint32_t{flow.protocol} << 16 | std::uint32_t{outward} << 24;
  fragments_.push_front({addresses, id, rewritten, now});
  if (fragments_.size() > kMaxFragmentTracks) fragments_.pop_back();
}

/** Follows its first fragment; one that overtook it is lost, as in boxes that do not reassemble. */
bool Nat::laterFragment(Packet& p, const Flow& flow, bool outward, Time now) {
  const std::uint64_t addresses = std::uint64_t{flow.source.ip} << 32 | flow.destination.ip;
  const std::uint32_t id = flow.identification | std::uint32_t{flow.protocol} << 16 | std::uint32_t{outward} << 24;
  for (const FragmentTrack& track : fragments_) {
    if (track.addresses != addresses || track.identification != id || now - track.seen > kFragmentLifetime) continue;
    if (outward) rewriteSource(p, flow, {track.rewritten, 0});
    else rewriteDestination(p, flow, {track.rewritten, 0});
    return true;
  }
  ++stats_.filtered;
  return false;
}

/** TCP and ICMP queries are mapped endpoint-independently whatever UDP does: the lab studies UDP. */
Endpoint Nat::mappingKey(std::uint8_t protocol, const Endpoint& remote) const {
  if (protocol != kUdp || options_.mapping == Dependence::kEndpointIndependent) return {};
  if (options_.mapping == Dependence::kAddressDependent) return {remote.ip, 0};
  return remote;
}

Time Nat::lifetimeOf(std::uint8_t protocol) const {
  if (protocol == kTcp) return kTcpLifetime;
  return protocol == kIcmp ? kIcmpQueryLifetime : options_.lifetime;
}

Nat::MappingPtr Nat::findInside(std::uint8_t protocol, const Endpoint& inside, const Endpoint& remote, Time now) {
  const InsideKey key{protocol, inside, mappingKey(protocol, remote)};
  MappingPtr mapping;
  if (const auto own = byInside_.find(key); own != byInside_.end()) mapping = own->second;
  else if (const auto flow = byFlow_.find(key); flow != byFlow_.end()) mapping = flow->second.lock();
  if (!mapping || mapping->expires > now) return mapping;
  erase(mapping);
  return nullptr;
}

void Nat::adopt(const MappingPtr& mapping, const Endpoint& remote, Time now) {
  if (findInside(mapping->protocol, mapping->inside, remote, now)) return;
  byFlow_.insert_or_assign({mapping->protocol, mapping->inside, mappingKey(mapping->protocol, remote)}, mapping);
}

Nat::MappingPtr Nat::create(const Flow& flow, Time now) {
  if (byInside_.size() >= options_.maxMappings) sweep(now, true);
  if (byInside_.size() >= options_.maxMappings) return nullptr;
  const std::uint32_t address = externalFor(flow.source.ip);
  const auto port = allocator_.draw(flow.source, now, [&](std::uint16_t candidate) {
    return isFree(flow.protocol, {address, candidate}, flow.destination, now);
  });
  if (!port) return nullptr;
  auto mapping = std::make_shared<Mapping>(Mapping{flow.protocol, flow.source, mappingKey(flow.protocol, flow.destination),
                                                   {address, *port}, now + lifetimeOf(flow.protocol), {}, {}});
  byInside_.emplace(InsideKey{mapping->protocol, mapping->inside, mapping->remote}, mapping);
  byExternal_[pack(mapping->protocol, mapping->external)].push_back(mapping);
  ++stats_.mappingsCreated;
  return mapping;
}

bool Nat::isFree(std::uint8_t protocol, const Endpoint& external, const Endpoint& remote, Time now) {
  const auto found = byExternal_.find(pack(protocol, external));
  if (found == byExternal_.end()) return true;
  return std::none_of(found->second.begin(), found->second.end(), [&](const MappingPtr& mapping) {
    if (mapping->expires <= now) return false;
    return !options_.overload || mapping->sessions.contains(pack(remote));
  });
}

Nat::MappingPtr Nat::findExternal(std::uint8_t protocol, const Endpoint& external, const Endpoint& remote, bool filter, Time now) {
  const auto found = byExternal_.find(pack(protocol, external));
  if (found == byExternal_.end()) return nullptr;
  MappingPtr any;
  for (const MappingPtr& mapping : found->second) {
    if (mapping->expires <= now) continue;
    // Where ports are shared, the mapping that has spoken with this remote comes first.
    if (mapping->sessions.contains(pack(remote)) && (!filter || passes(*mapping, remote, now))) return mapping;
    if (!any && (!filter || passes(*mapping, remote, now))) any = mapping;
  }
  return any;
}

bool Nat::passes(const Mapping& mapping, const Endpoint& remote, Time now) const {
  const Dependence filtering = mapping.protocol == kUdp ? options_.filtering : Dependence::kAddressAndPortDependent;
  if (filtering == Dependence::kEndpointIndependent) return true;
  if (filtering == Dependence::kAddressDependent) {
    const auto entry = mapping.remoteAddresses.find(remote.ip);
    return entry != mapping.remoteAddresses.end() && entry->second > now;
  }
  const auto entry = mapping.sessions.find(pack(remote));
  return entry != mapping.sessions.end() && entry->second.expires > now;
}

/** Keeps the mapping and its filter entry for this remote alive; false when the session table is full. */
bool Nat::touch(Mapping& mapping, const Endpoint& remote, Time now) {
  const Time filterLifetime = mapping.protocol == kUdp ? options_.filterLifetime : lifetimeOf(mapping.protocol);
  auto entry = mapping.sessions.find(pack(remote));
  if (entry == mapping.sessions.end()) {
    if (sessionCount_ >= options_.maxSessions) sweep(now, true);
    if (sessionCount_ >= options_.maxSessions) return false;
    entry = mapping.sessions.emplace(pack(remote), Session{now}).first;
    ++sessionCount_;
    ++stats_.sessionsCreated;
  }
  entry->second.expires = now + filterLifetime;
  mapping.remoteAddresses[remote.ip] = now + filterLifetime;
  mapping.expires = now + lifetimeOf(mapping.protocol);
  return true;
}

void Nat::erase(const MappingPtr& mapping) {
  sessionCount_ -= mapping->sessions.size();
  byInside_.erase({mapping->protocol, mapping->inside, mapping->remote});
  const auto found = byExternal_.find(pack(mapping->protocol, mapping->external));
  if (found == byExternal_.end()) return;
  std::erase(found->second, mapping);
  if (found->second.empty()) byExternal_.erase(found);
}

std::uint32_t Nat::externalFor(std::uint32_t insideIp) {
  const auto count = static_cast<std::uint32_t>(options_.external.size());
  if (options_.arbitraryPooling) return options_.external[random_.below(count)];
  const auto paired = pairedAddress_.find(insideIp);
  if (paired != pairedAddress_.end()) return paired->second;
  const std::uint32_t address = options_.external[pairedAddress_.size() % count];
  pairedAddress_.emplace(insideIp, address);
  return address;
}

void Nat::sweep(Time now, bool force) {
  if (!force && now - lastSweep_ < kSecond) return;
  lastSweep_ = now;
  std::vector<MappingPtr> ended;
  for (const auto& [key, mapping] : byInside_) {
    if (mapping->expires <= now) {
      ended.push_back(mapping);
      continue;
    }
    sessionCount_ -= std::erase_if(mapping->sessions, [&](const auto& entry) { return entry.second.expires <= now; });
    std::erase_if(mapping->remoteAddresses, [&](const auto& entry) { return entry.second <= now; });
  }
  for (const MappingPtr& mapping : ended) erase(mapping);
  ended.clear();
  std::erase_if(byFlow_, [](const auto& entry) { return entry.second.expired(); });
}

void Nat::flush(std::uint8_t protocol) {
  std::vector<MappingPtr> ended;
  for (const auto& [key, mapping] : byInside_) {
    if (protocol == 0 || mapping->protocol == protocol) ended.push_back(mapping);
  }
  for (const MappingPtr& mapping : ended) erase(mapping);
}

void Nat::reboot() {
  flush();
  fragments_.clear();
  pairedAddress_.clear();
  allocator_.reset();
}

void Nat::setExternal(std::vector<std::uint32_t> addresses) {
  options_.external = std::move(addresses);
  reboot();
}

std::size_t Nat::mappings(Time now) {
  sweep(now, true);
  return byInside_.size();
}

std::size_t Nat::sessions(Time now) {
  sweep(now, true);
  return sessionCount_;
}

}  // namespace natbox
