/** What changed between two snapshots, as plain lines for logs and pipes. Pure. */
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import { printable } from './printable.ts';
import { milliseconds, NAT_WORDS, natAdvice, noticeWords, PATH_WORDS, REASON_WORDS, STATE_WORDS } from './words.ts';

export function describeChanges(before: Snapshot | null, after: Snapshot): string[] {
  const own = ownChanges(before, after);
  // At the end everybody is gone: saying so for each would be noise.
  return after.state === 'off' ? own : [...own, ...peerChanges(before, after), ...newNotices(before, after)];
}

function ownChanges(before: Snapshot | null, after: Snapshot): string[] {
  const lines: string[] = [];
  const room = after.room === null ? '' : ` ${printable(after.room.name)}`;
  if (before?.state !== after.state) lines.push(`room${room}: ${STATE_WORDS[after.state]}`);
  const { self } = after;
  if (self === null) return lines;
  if (self.ipv4 !== null && before?.self?.ipv4 !== self.ipv4) {
    const where = self.interface === null ? '' : ` on ${self.interface}`;
    lines.push(`you are ${printable(self.nick)} at ${self.ipv4}${where}`);
  }
  if (self.nat.type !== 'unknown' && before?.self?.nat.type !== self.nat.type) {
    lines.push(`your NAT: ${NAT_WORDS[self.nat.type]}. ${natAdvice(self.nat)}`);
  }
  return lines;
}

function peerChanges(before: Snapshot | null, after: Snapshot): string[] {
  const earlier = new Map(before?.peers.map((peer) => [peer.publicKey, peer]));
  const lines: string[] = [];
  for (const peer of after.peers) {
    const line = peerChange(earlier.get(peer.publicKey), peer);
    if (line !== null) lines.push(`${printable(peer.nick)} (${peer.ipv4 ?? 'no address yet'}): ${line}`);
    earlier.delete(peer.publicKey);
  }
  for (const gone of earlier.values()) lines.push(`${printable(gone.nick)} left`);
  return lines;
}

function peerChange(before: PeerSnapshot | undefined, peer: PeerSnapshot): string | null {
  const now = situation(peer);
  return before !== undefined && situation(before) === now ? null : now + figures(peer);
}

/** Without figures, so that a mere ping is no change. */
function situation(peer: PeerSnapshot): string {
  if (peer.blocked) return 'blocked';
  if (peer.state !== 'connected') return peer.state;
  const reason =
    peer.longShot?.state === 'asked'
      ? ', asks for a long shot (warren punch)'
      : peer.reason === null
        ? ''
        : `, ${REASON_WORDS[peer.reason]}`;
  return `${peer.path === null ? 'connecting' : PATH_WORDS[peer.path.kind]}${reason}`;
}

function figures(peer: PeerSnapshot): string {
  return peer.path?.rttMs == null ? '' : `, ${milliseconds(peer.path.rttMs)}`;
}

function newNotices(before: Snapshot | null, after: Snapshot): string[] {
  const known = new Set(before?.notices.map((notice) => JSON.stringify(notice)));
  return after.notices
    .filter((notice) => !known.has(JSON.stringify(notice)))
    .map((notice) => `! ${printable(noticeWords(notice.code, notice.nick))}`);
}
