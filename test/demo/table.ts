/** What the demo prints: the members live, and who reached whom at the end. Pure. */
import { printable } from '../../cli/view/printable.ts';
import { fit } from '../../cli/view/text.ts';
import { milliseconds, PATH_WORDS, REASON_WORDS } from '../../cli/view/words.ts';
import type { Snapshot } from '../../protocol/app.ts';
import type { Actor, Reach } from './scene.ts';

const seconds = (ms: number | null) => (ms === null ? '-' : `${(ms / 1_000).toFixed(2)} s`);

/** A block a member: who it is, and how it sees each other. */
export function renderMembers(actors: readonly Actor[], snapshots: ReadonlyMap<string, Snapshot>): string[] {
  return actors.flatMap(({ nick, nat }) => {
    const snapshot = snapshots.get(nick);
    const address = snapshot?.self?.ipv4 ?? '';
    const head = `${fit(nick, 8)}${fit(nat, 30)}${fit(snapshot?.state ?? 'not started', 14)}${address}`;
    const peers = (snapshot?.peers ?? []).map((peer) => {
      const path = peer.path === null ? peer.state : PATH_WORDS[peer.path.kind];
      const why = peer.reason === null ? '' : REASON_WORDS[peer.reason];
      return `   to ${fit(printable(peer.nick), 8)}${fit(path, 12)}${fit(milliseconds(peer.path?.rttMs), 10)}${why}`;
    });
    return [head.trimEnd(), ...peers.map((line) => line.trimEnd())];
  });
}

const COLUMNS: [title: string, width: number, cell: (reach: Reach) => string][] = [
  ['FROM', 8, ({ from }) => from],
  ['TO', 8, ({ to }) => to],
  ['HOW', 10, ({ path }) => (path === null ? 'not at all' : PATH_WORDS[path])],
  ['RTT', 10, ({ rttMs }) => milliseconds(rttMs)],
  ['FIRST PACKET', 14, ({ firstPacketMs }) => seconds(firstPacketMs)],
  ['DIRECT AFTER', 14, ({ directMs }) => seconds(directMs)],
  ['PACKETS', 8, ({ sent, received }) => `${received} of ${sent}`],
];

export function renderReach(reached: readonly Reach[]): string[] {
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => fit(cell, COLUMNS[i]?.[1] ?? 0))
      .join('  ')
      .trimEnd();
  return [
    line(COLUMNS.map(([title]) => title)),
    ...reached.map((reach) => line(COLUMNS.map(([, , cell]) => cell(reach)))),
  ];
}

/** Whether everyone reached everyone, as the demo's last line and exit code say. */
export function everyoneReached(reached: readonly Reach[], members: number): boolean {
  return (
    reached.length === members * (members - 1) && reached.every(({ sent, received }) => sent > 0 && received === sent)
  );
}
