/**
 * Which changes of the room are worth a notification: someone came, left, or is reached directly now. Pure: two states and a
 * clock in, lines out. It must never become a storm, so arriving in a room is quiet, a flapping member is told of once, and
 * what exceeds a handful becomes one line.
 */
import type { PeerSnapshot } from '../../protocol/app.ts';
import type { AppState } from '../../protocol/face.ts';
import { isDirect } from './tray-model.ts';
import { languageOf, oneLine, say } from './words.ts';

/** Whoever was there before us appears in this time after we joined: not news. */
const ARRIVAL_MS = 5_000;
/** The same thing about the same member is said once in this time. */
const REPEAT_MS = 60_000;
/** At most this many lines in the window of `BURST_MS`; then one line that counts. */
const BURST = 3;
const BURST_MS = 10_000;

export interface NoticeMemory {
  /** Since when we are in the present room, ms; null while we are in none. */
  joinedAt: number | null;
  /** When each thing was said last, by kind and member. */
  readonly said: ReadonlyMap<string, number>;
}
export const NO_NOTICES: NoticeMemory = { joinedAt: null, said: new Map() };

type Kind = 'noticeJoined' | 'noticeLeft' | 'noticeDirect';

/** `now`: milliseconds of a clock that never goes back. */
export function noticesBetween(
  memory: NoticeMemory,
  before: AppState,
  after: AppState,
  now: number,
): { memory: NoticeMemory; lines: string[] } {
  const said = new Map([...memory.said].filter(([, at]) => now - at < REPEAT_MS));
  if (!isJoined(after)) return { memory: { joinedAt: null, said }, lines: [] };
  if (!isJoined(before) || roomOf(before) !== roomOf(after) || memory.joinedAt === null) {
    return { memory: { joinedAt: now, said }, lines: [] };
  }
  const quiet = !after.preferences.notifications || now - memory.joinedAt < ARRIVAL_MS;
  const news = changes(before, after).filter(({ key }) => !said.has(key));
  const lines = quiet ? [] : wording(news, after, [...said.values()].filter((at) => now - at < BURST_MS).length);
  if (!quiet) for (const { key } of news) said.set(key, now);
  return { memory: { joinedAt: memory.joinedAt, said }, lines };
}

/** A server that is away changes nothing about who is there. */
const isJoined = ({ connection, snapshot }: AppState) =>
  connection.state === 'running' && (snapshot.state === 'joined' || snapshot.state === 'reconnecting');
const roomOf = ({ snapshot }: AppState) => snapshot.room?.name;

interface Change {
  kind: Kind;
  nick: string;
  key: string;
}

function changes(before: AppState, after: AppState): Change[] {
  const change = (kind: Kind, { nick, publicKey }: PeerSnapshot): Change => ({
    kind,
    nick: oneLine(nick),
    key: `${kind} ${publicKey}`,
  });
  const [old, present] = [membersIn(before), membersIn(after)];
  return [
    ...[...present].filter(([key]) => !old.has(key)).map(([, peer]) => change('noticeJoined', peer)),
    ...[...old].filter(([key]) => !present.has(key)).map(([, peer]) => change('noticeLeft', peer)),
    ...[...present]
      .filter(([key, peer]) => isDirect(peer) && old.has(key) && !isDirect(old.get(key) ?? peer))
      .map(([, peer]) => change('noticeDirect', peer)),
  ];
}

/** Blocked members are nobody's news; a lost one is gone. */
function membersIn({ snapshot }: AppState): Map<string, PeerSnapshot> {
  const there = snapshot.peers.filter((peer) => !peer.blocked && peer.state !== 'lost');
  return new Map(there.map((peer) => [peer.publicKey, peer]));
}

function wording(news: readonly Change[], state: AppState, saidLately: number): string[] {
  const language = languageOf(state);
  const room = oneLine(state.snapshot.room?.name ?? '');
  if (saidLately >= BURST) return [];
  if (saidLately + news.length <= BURST) return news.map(({ kind, nick }) => say(language, kind, { nick, room }));
  return [say(language, 'noticeMany', { count: news.length, room })];
}
