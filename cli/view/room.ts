/** A snapshot as lines for a terminal. Pure. */

import pc from 'picocolors';
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import type { SeenGame } from '../../protocol/discovery.ts';
import { printable } from './printable.ts';
import { columnsOf, fit, shorten } from './text.ts';
import {
  filterWords,
  heldBack,
  heldBackWords,
  isDirect,
  milliseconds,
  NAT_WORDS,
  natAdvice,
  noticeWords,
  PATH_WORDS,
  PUNCH_WORDS,
  percent,
  REASON_WORDS,
  STATE_WORDS,
} from './words.ts';

export interface ViewOptions {
  /** Width of the terminal. */
  columns: number;
  colour: boolean;
  /** Unix time in ms. */
  now: number;
}

const GAME_ROLE_WORDS = {
  theirs: { hosting: 'hosts it', looking: 'looks for it', seen: 'plays or looks for it' },
  yours: { hosting: 'you host it', looking: 'you look for it', seen: 'you play or look for it' },
} as const;

/** Notices are shown this long. */
const NOTICE_MS = 60_000;

type Paint = (text: string) => string;

interface Column {
  title: string;
  align: 'left' | 'right';
  /** Narrow terminals lose the columns of the highest number first. */
  rank: number;
  /** Figures change every second; a column that held its widest usual one does not jump. */
  narrowest?: number;
  widest: number;
  text(peer: PeerSnapshot): string;
  paint?(peer: PeerSnapshot, colours: ReturnType<typeof pc.createColors>): Paint;
}

const WHY: Column = { title: 'WHY', align: 'left', rank: 2, widest: 60, text: explanation };

const COLUMNS: Column[] = [
  { title: 'NICK', align: 'left', rank: 0, widest: 24, text: (peer) => printable(peer.nick) },
  { title: 'ADDRESS', align: 'left', rank: 0, widest: 39, text: (peer) => peer.ipv4 ?? peer.ipv6 ?? '-' },
  { title: 'PATH', align: 'left', rank: 0, narrowest: 10, widest: 14, text: pathWord, paint: pathPaint },
  { title: 'RTT', align: 'right', rank: 1, narrowest: 7, widest: 9, text: (peer) => milliseconds(peer.path?.rttMs) },
  {
    title: 'JITTER',
    align: 'right',
    rank: 5,
    narrowest: 7,
    widest: 9,
    text: (peer) => milliseconds(peer.path?.jitterMs),
  },
  { title: 'LOSS', align: 'right', rank: 3, narrowest: 5, widest: 6, text: (peer) => percent(peer.path?.lossPct) },
  { title: 'NAT', align: 'left', rank: 4, narrowest: 4, widest: 11, text: (peer) => peer.nat?.type ?? '-' },
  WHY,
];

/** Header with room, own address, NAT and advice; a row a member; what happened lately. */
export function renderRoom(snapshot: Snapshot, options: ViewOptions): string[] {
  const colours = pc.createColors(options.colour);
  const lines = [...header(snapshot, colours), ''];
  lines.push(...(snapshot.peers.length === 0 ? [emptyRoom(snapshot)] : table(snapshot.peers, options, colours)));
  lines.push(...games(snapshot, colours));
  const recent = snapshot.notices.filter((notice) => options.now - notice.at < NOTICE_MS).slice(-3);
  if (recent.length > 0) lines.push('');
  for (const notice of recent) {
    lines.push(colours.yellow(`! ${printable(noticeWords(notice.code, notice.nick))}`));
  }
  return lines;
}

/** Who hosts what, where games were seen. */
function games(snapshot: Snapshot, colours: ReturnType<typeof pc.createColors>): string[] {
  const roleWords = ({ member, role }: SeenGame) => {
    const peer = snapshot.peers.find(({ publicKey }) => publicKey === member);
    return peer === undefined ? GAME_ROLE_WORDS.yours[role] : `${printable(peer.nick)} ${GAME_ROLE_WORDS.theirs[role]}`;
  };
  const rows = snapshot.discovery.games.map((game) => {
    const { name, address, title } = game;
    const what = title === null ? printable(name) : `${printable(name)} "${printable(title)}"`;
    return `  ${what}  ${roleWords(game)}${address === null ? '' : `  ${printable(address)}`}`;
  });
  return rows.length === 0 ? [] : ['', colours.dim('GAMES'), ...rows];
}

function header(snapshot: Snapshot, colours: ReturnType<typeof pc.createColors>): string[] {
  const { room, self } = snapshot;
  if (room === null || self === null) return [`${colours.bold('warren')}  ${STATE_WORDS[snapshot.state]}`];
  const state = snapshot.state === 'joined' ? colours.green('joined') : colours.yellow(STATE_WORDS[snapshot.state]);
  const address = self.ipv4 ?? 'no address yet';
  const where = self.interface === null ? 'no interface (--no-tun)' : self.interface;
  return [
    `${colours.bold(printable(room.name))}  ${state}  ${colours.dim(printable(room.server))}`,
    `you are ${colours.bold(printable(self.nick))} at ${colours.bold(address)}  ${colours.dim(where)}`,
    `your NAT: ${NAT_WORDS[self.nat.type]}. ${natAdvice(self.nat)}`,
    ...(snapshot.filter ? [`friends may open here: ${printable(filterWords(snapshot.filter))}`] : []),
    ...discoveryLine(snapshot),
  ];
}

/** What games said to everybody, once they did. */
function discoveryLine({ settings, discovery }: Snapshot): string[] {
  if (!settings.discovery) return ['games do not find each other here: `warren set discovery on`'];
  const { sent, received } = discovery;
  if (discovery.way === 'off' || sent + received + heldBack(discovery) === 0) return [];
  return [`calls of games: ${sent} from here, ${received} from friends${heldBackWords(discovery)}`];
}

function emptyRoom(snapshot: Snapshot): string {
  if (snapshot.state === 'off') return 'Nobody is connected: no engine is running.';
  if (snapshot.state === 'joining') return 'Looking for the server and for friends.';
  return 'Nobody else is here yet. Friends join with the same network name, password and server.';
}

function table(peers: PeerSnapshot[], options: ViewOptions, colours: ReturnType<typeof pc.createColors>): string[] {
  const { columns, below } = chooseColumns(peers, options.columns);
  const beneath = (peer: PeerSnapshot) => {
    const why = below ? explanation(peer) : '';
    return why === '' ? [] : [colours.dim(shorten(`    ${why}`, options.columns))];
  };
  const head = columns.map(({ column, size }) => fit(column.title, size, column.align)).join('  ');
  const row = (peer: PeerSnapshot) =>
    columns
      .map(({ column, size }) => {
        const cell = fit(column.text(peer), size, column.align);
        return column.paint ? column.paint(peer, colours)(cell) : cell;
      })
      .join('  ')
      .trimEnd();
  return [colours.dim(head.trimEnd()), ...peers.flatMap((peer) => [row(peer), ...beneath(peer)])];
}

interface Fitted {
  columns: { column: Column; size: number }[];
  /** Half a reason explains nothing: where it has no room at the end of the row, it stands below. */
  below: boolean;
}

/** Drops the least important columns until the rest fits. */
function chooseColumns(peers: PeerSnapshot[], available: number): Fitted {
  let columns = COLUMNS.map((column) => ({ column, size: naturalWidth(column, peers) })).filter(
    ({ column, size }) => column !== WHY || size > 0,
  );
  const total = () => columns.reduce((sum, { size }) => sum + size, 2 * (columns.length - 1));
  const below = total() > available && columns.some(({ column }) => column === WHY);
  if (below) columns = columns.filter(({ column }) => column !== WHY);
  while (total() > available) {
    const last = columns.reduce((worst, entry) => (entry.column.rank > worst.column.rank ? entry : worst));
    if (last.column.rank === 0) break;
    columns = columns.filter((entry) => entry !== last);
  }
  return { columns, below };
}

function naturalWidth(column: Column, peers: PeerSnapshot[]): number {
  const cells = Math.max(...peers.map((peer) => columnsOf(column.text(peer))));
  if (column === WHY && cells === 0) return 0;
  return Math.min(column.widest, Math.max(columnsOf(column.title), cells, column.narrowest ?? 0));
}

function pathWord(peer: PeerSnapshot): string {
  if (peer.blocked) return 'blocked';
  if (peer.state !== 'connected' || peer.path === null) return peer.state === 'lost' ? 'lost' : 'connecting';
  return PATH_WORDS[peer.path.kind];
}

function pathPaint(peer: PeerSnapshot, colours: ReturnType<typeof pc.createColors>): Paint {
  if (peer.blocked || peer.state === 'lost') return colours.red;
  if (peer.path === null) return colours.dim;
  return isDirect(peer.path.kind) ? colours.green : colours.yellow;
}

function explanation(peer: PeerSnapshot): string {
  if (peer.blocked) return '';
  if (peer.state === 'lost') return 'does not answer; waiting for them to come back';
  if (peer.punch) return punchWords(peer.punch);
  if (peer.longShot?.state === 'asked') return `asks for a long shot: warren punch ${printable(peer.nick)} [--stop]`;
  if (peer.longShot?.state === 'asking') return 'asked for a long shot';
  return peer.reason === null ? '' : REASON_WORDS[peer.reason];
}

function punchWords({ strategy, probesSent, probesMax, odds }: NonNullable<PeerSnapshot['punch']>): string {
  const what = PUNCH_WORDS[strategy] ?? printable(strategy);
  const chance = odds === null ? '' : `, ${percent(Math.min(99, odds * 100))} so far`;
  return `${what}: ${probesSent} of ${probesMax} tries${chance}`;
}
