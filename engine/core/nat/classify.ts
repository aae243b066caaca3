/** From evidence to names: RFC 4787 and 5780 behaviours, RFC 3489 types. Pure; see docs/nat.md for the reasoning. */
import type { FilteringBehaviour, MappingBehaviour, NatType } from '../../../protocol/nat.ts';
import { parseAddress } from '../candidates/address.ts';
import type { Endpoint } from './contract.ts';
import { type Evidence, isSeen, type MappingEvidence, type Observation, sameEndpoint, seenBy } from './evidence.ts';

/** RFC 5780, 4.3, over all servers together. */
export function mappingOf(evidence: Evidence): MappingBehaviour {
  // Who has not said the same twice yet may be making it up.
  if (evidence.servers.some(({ primary, again }) => isSeen(primary) && again === 'pending')) return 'unknown';
  const seen = seenOutside(evidence);
  const first = seen[0];
  if (first === undefined) return 'unknown';
  if (seen.every((endpoint) => isOwn(endpoint, evidence))) return 'none';
  const outside = evidence.servers.filter((server) => isBeyond(server, evidence));
  const portSame = outside.some((server) => comparison(server, server.secondPort) === 'same');
  // Where one server sees two mappings and another only one, one of them lies: the milder name can be doubted.
  if (!portSame && outside.some((server) => comparison(server, server.secondPort) === 'differs')) {
    return 'address-and-port-dependent';
  }
  if (seen.some((endpoint) => !sameEndpoint(endpoint, first))) {
    // Without a second port on one address it stays open whether ports matter too. Nearly every such NAT does both.
    return portSame ? 'address-dependent' : 'address-and-port-dependent';
  }
  if (isPending(evidence.servers) || seen.length < 2) return 'unknown';
  return 'endpoint-independent';
}

/**
 * What servers beyond every NAT saw. One in this LAN, or on this machine, sees an own private address: that says nothing
 * of the way to the Internet, and beside what the others see it would look like a second mapping.
 */
export function seenOutside(evidence: Evidence): Endpoint[] {
  const seen = evidence.servers.flatMap(seenBy).filter(({ ip }) => !isInside(ip, evidence));
  const global = seen.filter(({ ip }) => parseAddress(ip)?.scope === 'global');
  return global.length > 0 ? global : seen;
}

/** Whether this server has answered from beyond the NAT, so that what it sees tells of it. */
export function isBeyond(server: MappingEvidence | undefined, evidence: Evidence): boolean {
  return server !== undefined && isSeen(server.primary) && !isInside(server.primary.ip, evidence);
}

/** Whether this is an address of ours that the Internet does not know. */
export function isInside(ip: string, evidence: Evidence): boolean {
  return isOwnAddress(ip, evidence) && parseAddress(ip)?.scope !== 'global';
}

function comparison(server: MappingEvidence, other: Observation): 'same' | 'differs' | 'unknown' {
  if (!isSeen(server.primary) || !isSeen(other)) return 'unknown';
  return sameEndpoint(server.primary, other) ? 'same' : 'differs';
}

function isPending(servers: readonly MappingEvidence[]): boolean {
  // A server that has not answered at all must not hold up what the others show.
  return servers.some(
    (server) => isSeen(server.primary) && (server.secondPort === 'pending' || server.alternate === 'pending'),
  );
}

function isOwn(endpoint: Endpoint, evidence: Evidence): boolean {
  return endpoint.port === evidence.mainPort && isOwnAddress(endpoint.ip, evidence);
}

function isOwnAddress(ip: string, evidence: Evidence): boolean {
  return parseAddress(ip)?.scope === 'loopback' || evidence.localAddresses.includes(ip);
}

/** RFC 5780, 4.4. */
export function filteringOf(evidence: Evidence, mapping: MappingBehaviour): FilteringBehaviour {
  const { plain, changePort, changeBoth } = evidence.filter;
  if (!isSeen(plain) || isInside(plain.ip, evidence)) return 'unknown';
  if (changeBoth === 'answered') return 'endpoint-independent';
  if (changeBoth === 'pending' || changePort === 'pending') return 'unknown';
  if (changePort === 'silent') return 'address-and-port-dependent';
  if (changePort !== 'answered') return 'unknown';
  if (changeBoth === 'silent') return 'address-dependent';
  // A server with one address cannot ask from another. A NAT gets the narrower name; a host without NAT that lets a
  // foreign port in has no stateful firewall, because those match whole five-tuples.
  return mapping === 'none' ? 'endpoint-independent' : 'address-dependent';
}

/** The names that players know (RFC 3489, section 5). */
export function typeOf(mapping: MappingBehaviour, filtering: FilteringBehaviour): NatType {
  if (mapping === 'unknown') return 'unknown';
  if (mapping === 'address-dependent' || mapping === 'address-and-port-dependent') return 'NAT4';
  switch (filtering) {
    case 'endpoint-independent':
      return mapping === 'none' ? 'open' : 'NAT1';
    case 'address-dependent':
      return 'NAT2';
    case 'address-and-port-dependent':
      return 'NAT3';
    case 'unknown':
      return 'unknown';
  }
}

/** 100.64.0.0/10 (RFC 6598) on either side of our NAT proves a carrier's; its absence proves nothing behind a NAT. */
export function cgnatOf(evidence: Evidence, mapping: MappingBehaviour): boolean | null {
  const ips = [...evidence.localAddresses, ...evidence.servers.flatMap(seenBy).map((endpoint) => endpoint.ip)];
  if (ips.some((ip) => parseAddress(ip)?.scope === 'carrier-nat')) return true;
  return mapping === 'none' ? false : null;
}
