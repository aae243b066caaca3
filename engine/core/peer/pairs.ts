/**
 * Candidate pairs and the pace of their checks (RFC 8445, 6.1.2 in spirit). The tunnel has one socket a family, so a pair
 * is that socket and one address that may lead to the peer.
 */
import type { PathKind } from '../../../protocol/app.ts';
import type { Candidate, CandidateKind } from '../../../protocol/peer.ts';
import { type Address, parseAddress } from '../candidates/address.ts';
import type { Endpoint } from './contract.ts';
import {
  BURST_OFFSETS_MS,
  CHECK_PACE_WHEN_DIRECT_MS,
  CHECK_PACES,
  LEARNED_BURST,
  LEARNED_EVERY_MS,
  MAX_PAIRS,
  PEER_REFLEXIVE_LIFETIME_MS,
  ROUND_GAP_MS,
  TRIGGERED_CHECK_GAP_MS,
} from './tuning.ts';

export interface Pair {
  key: string;
  via: { socket: number; remote: Endpoint };
  origin: CandidateKind;
  kind: PathKind;
  /** Start of the present round of checks. */
  roundAt: number;
  /** Pings of this round that have left: an index of the burst, beyond it the paced ones. */
  sent: number;
  /** All pings of this round, those that answered the peer's too. */
  checks: number;
  lastSentAt: number;
  /** Last ping that came from there. */
  heardAt: number | null;
}

export interface PairRules {
  /** Main sockets by family; a family without a socket makes no pairs. */
  families: readonly (4 | 6)[];
  /** Addresses that no path may lead to: the room's own, or the tunnel would carry itself. */
  refuses: (ip: string) => boolean;
}

export function pairKey(socket: number, remote: Endpoint): string {
  return `${socket} ${remote.ip} ${remote.port}`;
}

export function kindOf(address: Address, origin: CandidateKind): PathKind {
  if (origin === 'lan' && address.scope === 'carrier-nat') return 'lan';
  if (address.scope === 'private' || address.scope === 'loopback' || address.scope === 'link-local') return 'lan';
  return address.family === 6 ? 'ipv6' : 'direct';
}

export class PairList {
  readonly #pairs = new Map<string, Pair>();
  readonly #rules: PairRules;
  /** When the allowance for learned addresses is whole again (a bucket, kept as one time). */
  #learnedUntil = 0;

  constructor(rules: PairRules) {
    this.#rules = rules;
  }

  get(key: string): Pair | undefined {
    return this.#pairs.get(key);
  }

  all(): IterableIterator<Pair> {
    return this.#pairs.values();
  }

  get size(): number {
    return this.#pairs.size;
  }

  /**
   * Makes the list follow the peer's candidates: new pairs begin a round, others that are not proven begin one again.
   * What `keep` names stays (living paths), and so do addresses learned from pings.
   */
  follow(theirs: readonly Candidate[], own: readonly Candidate[], now: number, keep: (key: string) => boolean): void {
    const wanted = new Set<string>();
    for (const candidate of inCheckOrder(theirs, own)) {
      const pair = this.#pairOf(candidate, own, now);
      if (pair !== null) wanted.add(pair.key);
    }
    for (const pair of this.#pairs.values()) {
      if (wanted.has(pair.key) || keep(pair.key)) continue;
      if (pair.origin === 'peer-reflexive') continue;
      this.#pairs.delete(pair.key);
    }
  }

  /** The pair of a ping that arrived; null where such an address is not believed, or too many new ones came. */
  heard(socket: number, remote: Endpoint, now: number): Pair | null {
    const pair = this.#pairs.get(pairKey(socket, remote)) ?? this.#learn(socket, remote, now);
    if (pair !== null) pair.heardAt = now;
    return pair;
  }

  #learn(socket: number, remote: Endpoint, now: number): Pair | null {
    const until = Math.max(this.#learnedUntil, now) + LEARNED_EVERY_MS;
    if (until - now > LEARNED_BURST * LEARNED_EVERY_MS) return null;
    const pair = this.#add({ kind: 'peer-reflexive', ...remote }, socket, now);
    if (pair !== null) this.#learnedUntil = until;
    return pair;
  }

  /** Begins a new burst for a pair, unless one began just now. */
  restart(pair: Pair, now: number): void {
    if (now - pair.roundAt < ROUND_GAP_MS) return;
    pair.roundAt = now;
    pair.sent = 0;
    pair.checks = 0;
  }

  /** A check of the pair did not leave: its turn is over all the same. */
  withheld(key: string): void {
    const pair = this.#pairs.get(key);
    if (pair !== undefined && pair.checks > 0) pair.checks -= 1;
  }

  /** Forgets addresses that were learned from pings and went silent. */
  forget(now: number, keep: (key: string) => boolean): void {
    for (const pair of this.#pairs.values()) {
      if (pair.origin !== 'peer-reflexive') continue;
      if (now - (pair.heardAt ?? pair.roundAt) <= PEER_REFLEXIVE_LIFETIME_MS || keep(pair.key)) continue;
      this.#pairs.delete(pair.key);
    }
  }

  remove(key: string): void {
    this.#pairs.delete(key);
  }

  removeSockets(sockets: readonly number[]): void {
    for (const pair of this.#pairs.values()) if (sockets.includes(pair.via.socket)) this.#pairs.delete(pair.key);
  }

  #pairOf(candidate: Candidate, own: readonly Candidate[], now: number): Pair | null {
    const address = parseAddress(candidate.ip);
    if (address === null) return null;
    // Loopback leads to the peer only when both are on this host, and then we have such a candidate ourselves.
    if (address.scope === 'loopback' && !own.some((mine) => parseAddress(mine.ip)?.scope === 'loopback')) return null;
    if (own.some((mine) => mine.ip === address.ip && mine.port === candidate.port)) return null;
    const socket = this.#rules.families.indexOf(address.family);
    const known = this.#pairs.get(pairKey(socket, { ip: address.ip, port: candidate.port }));
    if (known === undefined) return this.#add({ ...candidate, ip: address.ip }, socket, now);
    known.origin = candidate.kind;
    this.restart(known, now);
    return known;
  }

  #add(candidate: Candidate, socket: number, now: number): Pair | null {
    const address = parseAddress(candidate.ip);
    if (socket < 0 || address === null || address.scope === 'unusable') return null;
    if (this.#rules.refuses(address.ip)) return null;
    if (this.#pairs.size >= MAX_PAIRS && !this.#evict()) return null;
    const remote = { ip: candidate.ip, port: candidate.port };
    const pair: Pair = {
      key: pairKey(socket, remote),
      via: { socket, remote },
      origin: candidate.kind,
      kind: kindOf(address, candidate.kind),
      roundAt: now,
      sent: 0,
      checks: 0,
      lastSentAt: Number.NEGATIVE_INFINITY,
      heardAt: null,
    };
    this.#pairs.set(pair.key, pair);
    return pair;
  }

  /** Room for one more: the learned address that was silent longest goes. */
  #evict(): boolean {
    let oldest: Pair | null = null;
    for (const pair of this.#pairs.values()) {
      if (pair.origin !== 'peer-reflexive') continue;
      if (oldest === null || (pair.heardAt ?? 0) < (oldest.heardAt ?? 0)) oldest = pair;
    }
    return oldest !== null && this.#pairs.delete(oldest.key);
  }
}

/** Public IPv4 endpoints that servers saw. */
export function publicEndpoints(candidates: readonly Candidate[]): Endpoint[] {
  return candidates.flatMap(({ kind, ip, port }) => {
    const address = kind === 'reflexive' ? parseAddress(ip) : null;
    if (address?.family !== 4) return [];
    return address.scope === 'global' || address.scope === 'carrier-nat' ? [{ ip: address.ip, port }] : [];
  });
}

/** Next check of a pair that has not answered; `direct` tells that some other direct path works. */
export function nextCheckAt(pair: Pick<Pair, 'roundAt' | 'sent' | 'lastSentAt'>, direct: boolean): number {
  const offset = BURST_OFFSETS_MS[pair.sent];
  if (offset !== undefined) return pair.roundAt + offset;
  const age = pair.lastSentAt - pair.roundAt;
  const pace = CHECK_PACES.find((step) => age < step.untilMs)?.everyMs ?? CHECK_PACE_WHEN_DIRECT_MS;
  return pair.lastSentAt + (direct ? CHECK_PACE_WHEN_DIRECT_MS : pace);
}

export function mayTrigger(pair: Pair, now: number): boolean {
  return now - pair.lastSentAt >= TRIGGERED_CHECK_GAP_MS;
}

/**
 * The order of one burst. Behind one public address the LAN is tried first, then what needs no router (IPv6), then that
 * address itself (a NAT that hairpins), then a port that the peer's own router opened; behind different ones a private
 * address is the least likely to be the peer's. (All of a burst leaves at once: order matters only where a budget cuts it
 * short.)
 */
function inCheckOrder(theirs: readonly Candidate[], own: readonly Candidate[]): Candidate[] {
  const ours = new Set(own.filter((candidate) => candidate.kind === 'reflexive').map((candidate) => candidate.ip));
  const sameSite = theirs.some((candidate) => candidate.kind === 'reflexive' && ours.has(candidate.ip));
  const lan = theirs.filter((candidate) => candidate.kind === 'lan');
  const rest = theirs.filter((candidate) => candidate.kind !== 'lan');
  return sameSite ? [...lan, ...rest.toSorted((a, b) => neighbourRank(a) - neighbourRank(b))] : [...rest, ...lan];
}

const NEIGHBOURS_TRY: readonly CandidateKind[] = ['ipv6', 'reflexive', 'mapped'];

function neighbourRank({ kind }: Candidate): number {
  const rank = NEIGHBOURS_TRY.indexOf(kind);
  return rank < 0 ? NEIGHBOURS_TRY.length : rank;
}
