/** What a screen reader is told: changes of state, never figures. */
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import { isDirect } from './member.ts';

export type Announcement =
  | { kind: 'joined' | 'reconnecting' | 'left-room' }
  | { kind: 'member-joined' | 'member-left' | 'member-direct' | 'member-relayed' | 'member-lost'; nick: string };

/** More at once would be noise: a room that fills when it is joined. */
const SPOKEN_AT_ONCE = 3;

export function announcements(before: Snapshot, next: Snapshot): Announcement[] {
  const room = roomChange(before, next);
  if (room !== null) return [room];
  if (next.state !== 'joined') return [];
  const members = memberChanges(before.peers, next.peers);
  return members.length > SPOKEN_AT_ONCE ? [] : members;
}

function roomChange(before: Snapshot, next: Snapshot): Announcement | null {
  if (before.state === next.state) return null;
  if (next.state === 'joined') return { kind: 'joined' };
  if (next.state === 'reconnecting') return { kind: 'reconnecting' };
  return next.state === 'off' ? { kind: 'left-room' } : null;
}

function memberChanges(before: readonly PeerSnapshot[], next: readonly PeerSnapshot[]): Announcement[] {
  const old = new Map(before.map((peer) => [peer.publicKey, peer]));
  const here = new Set(next.map((peer) => peer.publicKey));
  const left = before.filter((peer) => !here.has(peer.publicKey));
  return [
    ...next.flatMap((peer) => memberChange(old.get(peer.publicKey), peer) ?? []),
    ...left.map((peer): Announcement => ({ kind: 'member-left', nick: peer.nick })),
  ];
}

function memberChange(before: PeerSnapshot | undefined, next: PeerSnapshot): Announcement | null {
  const { nick } = next;
  if (before === undefined) return { kind: 'member-joined', nick };
  if (before.state !== 'lost' && next.state === 'lost' && !next.blocked) return { kind: 'member-lost', nick };
  if (next.path === null || before.path?.kind === next.path.kind) return null;
  const direct = isDirect(next.path.kind);
  if (before.path !== null && direct === isDirect(before.path.kind)) return null;
  return { kind: direct ? 'member-direct' : 'member-relayed', nick };
}
