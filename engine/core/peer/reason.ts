/** Why a peer has no direct path: a sentence's worth of evidence as one closed code. It explains, it never decides. */
import type { RelayReason } from '../../../protocol/app.ts';
import type { NatReport } from '../../../protocol/nat.ts';
import { CONNECTING_MS } from './tuning.ts';

export interface ReasonFacts {
  direct: boolean;
  relayOnly: boolean;
  ownNat: NatReport;
  theirNat: NatReport | null;
  /** Null until the peer's list came. */
  theirCandidates: number | null;
  /** Pairs that can be checked at all. */
  pairs: number;
  /** The relay told that pings of ours arrive. */
  oneWay: boolean;
  hadDirect: boolean;
  /** Milliseconds since checks began; null before that. */
  checkedForMs: number | null;
}

export function relayReason(facts: ReasonFacts): RelayReason | null {
  if (facts.direct) return null;
  if (facts.relayOnly) return 'relay-only';
  if (facts.ownNat.type === 'udp-blocked') return 'udp-blocked-here';
  if (facts.theirNat?.type === 'udp-blocked') return 'udp-blocked-there';
  if (facts.theirCandidates === 0) return 'no-candidates';
  if (facts.hadDirect) return 'path-lost';
  if (facts.checkedForMs === null || facts.checkedForMs < CONNECTING_MS) return 'connecting';
  if (facts.pairs === 0) return 'no-candidates';
  if (neighboursApart(facts.ownNat, facts.theirNat)) return 'no-hairpin';
  if (facts.oneWay) return 'one-way';
  return hardPair(facts.ownNat, facts.theirNat) ? 'hard-nat-pair' : 'no-answer';
}

/** Behind one public address, on different sides of a NAT that turns nothing back (RFC 4787, REQ-9). */
function neighboursApart(own: NatReport, theirs: NatReport | null): boolean {
  if (theirs === null || (own.hairpin !== false && theirs.hairpin !== false)) return false;
  return own.publicAddresses.some((ip) => theirs.publicAddresses.includes(ip));
}

function hardPair(own: NatReport, theirs: NatReport | null): boolean {
  return theirs !== null && (misses(own, theirs) || misses(theirs, own));
}

/** A mapping that changes with the destination meets neither a filter that wants the exact port nor another such mapping. */
function misses(nat: NatReport, other: NatReport): boolean {
  return hardMapping(nat) && (hardMapping(other) || other.filtering === 'address-and-port-dependent');
}

function hardMapping(nat: NatReport): boolean {
  return nat.mapping === 'address-dependent' || nat.mapping === 'address-and-port-dependent';
}
