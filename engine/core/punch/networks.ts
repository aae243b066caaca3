/** Where two members are, as far as both have measured it: what was tried between other networks says nothing of these. Pure. */
import type { NatReport } from '../../../protocol/nat.ts';

export interface Networks {
  /** Public IPv4 ones, of this side and of the other. */
  addresses: readonly [string[], string[]];
  /** What the NATs do with them. */
  labels: string;
}

/** Null while one side has not measured its network, or not yet the one that it has come to. */
export function networksOf(own: NatReport, theirs: NatReport): Networks | null {
  const addresses = [ipv4Of(own), ipv4Of(theirs)] as const;
  const labels = [own, theirs].map(({ mapping, filtering }) => `${mapping} ${filtering}`);
  const unknown =
    addresses.some(({ length }) => length === 0) || [own, theirs].some(({ mapping }) => mapping === 'unknown');
  return unknown ? null : { addresses, labels: labels.join(', ') };
}

function ipv4Of({ publicAddresses }: NatReport): string[] {
  return publicAddresses.filter((ip) => !ip.includes(':'));
}

/** Nothing that led from one side to the other does so any more. */
export function isElsewhere(before: Networks, now: Networks): boolean {
  return before.addresses.some((known, side) => !known.some((ip) => now.addresses[side]?.includes(ip) === true));
}
