/** A member as the room shows it. */
import type { PathKind, PeerSnapshot } from '../../protocol/app.ts';
import type { NatReport } from '../../protocol/nat.ts';

export const isDirect = (kind: PathKind): boolean => kind === 'lan' || kind === 'ipv6' || kind === 'direct';

export type Standing = 'direct' | 'relayed' | 'connecting' | 'lost' | 'blocked';

export function standing(peer: Pick<PeerSnapshot, 'blocked' | 'state' | 'path'>): Standing {
  if (peer.blocked) return 'blocked';
  if (peer.state === 'lost') return 'lost';
  if (peer.path === null) return 'connecting';
  return isDirect(peer.path.kind) ? 'direct' : 'relayed';
}

/** Between two whose mapping changes with the destination it is both; null: as far as is known, nobody's does. */
export type StrictSide = 'yours' | 'theirs' | 'both';

export function strictSide(own: NatReport | null | undefined, theirs: NatReport | null): StrictSide | null {
  if (isStrict(own)) return isStrict(theirs) ? 'both' : 'yours';
  return isStrict(theirs) ? 'theirs' : null;
}

/** A new port for every destination (RFC 4787). */
const isStrict = (nat: NatReport | null | undefined): boolean =>
  nat?.mapping === 'address-dependent' || nat?.mapping === 'address-and-port-dependent';

/** By name, blocked ones last: no figure and no path moves a row. */
export function inOrder(peers: readonly PeerSnapshot[]): PeerSnapshot[] {
  return [...peers].sort(
    (a, b) => Number(a.blocked) - Number(b.blocked) || compare(a.nick, b.nick) || compare(a.publicKey, b.publicKey),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export type Tally = Record<Standing, number>;

export function tally(peers: readonly PeerSnapshot[]): Tally {
  const counts: Tally = { direct: 0, relayed: 0, connecting: 0, lost: 0, blocked: 0 };
  for (const peer of peers) counts[standing(peer)]++;
  return counts;
}
