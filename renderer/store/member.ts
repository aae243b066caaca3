/** A member as the room shows it. */
import type { PathKind, PeerSnapshot } from '../../protocol/app.ts';

export const isDirect = (kind: PathKind): boolean => kind === 'lan' || kind === 'ipv6' || kind === 'direct';

export type Standing = 'direct' | 'relayed' | 'connecting' | 'lost' | 'blocked';

export function standing(peer: Pick<PeerSnapshot, 'blocked' | 'state' | 'path'>): Standing {
  if (peer.blocked) return 'blocked';
  if (peer.state === 'lost') return 'lost';
  if (peer.path === null) return 'connecting';
  return isDirect(peer.path.kind) ? 'direct' : 'relayed';
}

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
