/**
 * The list of addresses that this host offers to its peers (RFC 8445, 5.1.1, without components and foundations: the
 * tunnel has one socket a family, so a candidate is an address that may lead to it).
 */
import type { Candidate, CandidateKind } from '../../../protocol/peer.ts';
import { parseAddress } from './address.ts';

/** Bound of the `candidates` message. */
export const MAX_CANDIDATES = 32;
/** A host with dozens of bridges or temporary IPv6 addresses must leave room for what comes after them. */
const MAX_OF_A_KIND = 10;

/** One unicast address of an interface that is up; the tunnel's own are left out by the caller. */
export interface LocalAddress {
  ip: string;
  /** An interface of some other VPN or a virtual machine bridge. */
  virtual: boolean;
}

export interface GatherInput {
  hostAddresses: readonly LocalAddress[];
  /** Local ports of the main sockets; null where the host has no such socket. */
  ports: { v4: number | null; v6: number | null };
  /** Reflexive candidates of the NAT cores, both families. */
  reflexive: readonly Candidate[];
  /** Ports that the router opened for the main sockets. */
  mapped: readonly Candidate[];
  /** Endpoints that the IPv6 router's firewall lets everybody in to. */
  pinholed: readonly { ip: string; port: number }[];
  /** What the user configured. */
  static: readonly { ip: string; port: number }[];
  /** Relay only: nobody learns an address of this host. */
  relayOnly: boolean;
}

/**
 * Deduplicated, most promising first, at most 32: LAN, IPv6 (pinholed before the rest), mapped, reflexive, static, and other VPNs' interfaces last.
 * Loopback and link-local addresses are left out: the first never reaches a peer, the second needs a scope that only
 * this host knows (and every LAN with one has better).
 */
export function gatherCandidates(input: GatherInput): Candidate[] {
  if (input.relayOnly) return [];
  const host = input.hostAddresses.flatMap((address) => {
    const candidate = hostCandidate(address.ip, input.ports);
    return candidate === null ? [] : [{ candidate, virtual: address.virtual }];
  });
  const real = host.filter((entry) => !entry.virtual).map((entry) => entry.candidate);
  const list = new CandidateList();
  list.add(real.filter((candidate) => candidate.kind === 'lan'));
  list.add(input.pinholed.map((endpoint) => ({ kind: 'ipv6', ...endpoint })));
  list.add(real.filter((candidate) => candidate.kind === 'ipv6'));
  list.add(input.mapped);
  list.add(input.reflexive);
  list.add(input.static.map((endpoint) => ({ kind: 'static', ...endpoint })));
  list.add(host.filter((entry) => entry.virtual).map((entry) => entry.candidate));
  return list.candidates;
}

function hostCandidate(ip: string, ports: GatherInput['ports']): Candidate | null {
  const address = parseAddress(ip);
  if (address === null || !['private', 'carrier-nat', 'global'].includes(address.scope)) return null;
  const port = address.family === 4 ? ports.v4 : ports.v6;
  if (port === null) return null;
  const kind: CandidateKind = address.family === 6 && address.scope === 'global' ? 'ipv6' : 'lan';
  return { kind, ip: address.ip, port };
}

class CandidateList {
  readonly candidates: Candidate[] = [];
  readonly #seen = new Set<string>();

  /** Adds at most ten of what is new and valid, in order. */
  add(candidates: readonly Candidate[]): void {
    let added = 0;
    for (const candidate of candidates) {
      const address = parseAddress(candidate.ip);
      if (address === null || candidate.port < 1 || candidate.port > 65_535) continue;
      const key = `${address.ip} ${candidate.port}`;
      if (this.#seen.has(key) || added === MAX_OF_A_KIND || this.candidates.length === MAX_CANDIDATES) continue;
      this.#seen.add(key);
      this.candidates.push({ ...candidate, ip: address.ip });
      added += 1;
    }
  }
}
