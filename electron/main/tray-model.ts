/** What the tray shows, as plain values made of the app's state alone. */
import type { PeerSnapshot } from '../../protocol/app.ts';
import type { AppCommand, AppState } from '../../protocol/face.ts';
import { type Language, languageOf, oneLine, say } from './words.ts';

export type TrayIcon = 'off' | 'joining' | 'relayed' | 'direct';

/** What a click does: a command for the app, or the window. */
export type TrayAction = AppCommand | { type: 'show' };

export type TrayEntry =
  | { kind: 'text'; text: string }
  | { kind: 'separator' }
  | { kind: 'action'; text: string; action: TrayAction }
  | { kind: 'check'; text: string; on: boolean; action: TrayAction };

export interface TrayModel {
  icon: TrayIcon;
  tooltip: string;
  menu: TrayEntry[];
}

/** A menu longer than this leaves the screen. */
const MEMBERS_SHOWN = 12;
const DIRECT_KINDS = ['lan', 'ipv6', 'direct'];

export function trayModel(state: AppState): TrayModel {
  const language = languageOf(state);
  const icon = trayIcon(state);
  const tooltip = headline(state, icon, language);
  return { icon, tooltip, menu: trayMenu(state, tooltip, language) };
}

/** `direct`: nobody in the room is reached through a relay, or nobody else is in it. */
export function trayIcon({ connection, snapshot }: Pick<AppState, 'connection' | 'snapshot'>): TrayIcon {
  if (connection.state === 'starting') return 'joining';
  if (connection.state !== 'running') return 'off';
  if (snapshot.state !== 'joined') return 'joining';
  return members(snapshot.peers).every(isDirect) ? 'direct' : 'relayed';
}

export function isDirect(peer: Pick<PeerSnapshot, 'path'>): boolean {
  return peer.path !== null && DIRECT_KINDS.includes(peer.path.kind);
}

/** Those who are to be reached: a blocked or lost member says nothing about the connection. */
function members(peers: readonly PeerSnapshot[]): PeerSnapshot[] {
  return peers.filter((peer) => !peer.blocked && peer.state !== 'lost');
}

function headline(state: AppState, icon: TrayIcon, language: Language): string {
  const { connection, snapshot } = state;
  if (connection.state === 'idle' || connection.state === 'stopping') return say(language, 'off');
  const room = oneLine(connection.room);
  if (connection.state === 'failed') return say(language, 'failed', { room });
  if (icon === 'joining') return say(language, 'joining', { room });
  const count = members(snapshot.peers).length;
  if (count === 0) return say(language, 'alone', { room });
  return say(language, icon === 'direct' ? 'direct' : 'relayed', { room, count: count + 1 });
}

function trayMenu(state: AppState, title: string, language: Language): TrayEntry[] {
  const { settings } = state.snapshot;
  const separator: TrayEntry = { kind: 'separator' };
  const toggle = (word: 'portMapping' | 'hardNat', setting: 'port-mapping' | 'hard-nat', on: boolean): TrayEntry => ({
    kind: 'check',
    text: say(language, word),
    on,
    action: { type: 'set', setting, on: !on },
  });
  const { notifications } = state.preferences;
  return [
    { kind: 'text', text: title },
    ...memberEntries(state, language),
    separator,
    ...connectEntries(state, language),
    toggle('portMapping', 'port-mapping', settings.portMapping),
    toggle('hardNat', 'hard-nat', settings.hardNat),
    {
      kind: 'check',
      text: say(language, 'notifications'),
      on: notifications,
      action: { type: 'prefer', change: { notifications: !notifications } },
    },
    separator,
    { kind: 'action', text: say(language, 'show'), action: { type: 'show' } },
    { kind: 'action', text: say(language, 'quit'), action: { type: 'quit' } },
  ];
}

function memberEntries({ connection, snapshot }: AppState, language: Language): TrayEntry[] {
  if (connection.state !== 'running') return [];
  const shown = snapshot.peers.filter((peer) => !peer.blocked);
  const entries = shown.slice(0, MEMBERS_SHOWN).map(
    (peer): TrayEntry => ({
      kind: 'text',
      text: memberText(peer, language),
    }),
  );
  const count = shown.length - entries.length;
  return count > 0 ? [...entries, { kind: 'text', text: say(language, 'more', { count }) }] : entries;
}

function memberText(peer: PeerSnapshot, language: Language): string {
  const nick = oneLine(peer.nick);
  if (peer.state === 'lost') return say(language, 'memberLost', { nick });
  if (peer.path === null) return say(language, 'memberConnecting', { nick });
  const { rttMs } = peer.path;
  const ping =
    rttMs === null
      ? say(language, 'unmeasured')
      : say(language, 'milliseconds', { ping: Math.max(1, Math.round(rttMs)) });
  return say(language, isDirect(peer) ? 'memberDirect' : 'memberRelayed', { nick, ping });
}

/** Nothing while there is no room to go to: the first screen is the way in then. */
function connectEntries({ connection, rooms }: AppState, language: Language): TrayEntry[] {
  if (connection.state === 'starting' || connection.state === 'running') {
    return [{ kind: 'action', text: say(language, 'disconnect'), action: { type: 'toggle' } }];
  }
  const last = rooms[0];
  if (last === undefined) return [];
  const text = say(language, 'connect', { room: oneLine(last.name) });
  return [{ kind: 'action', text, action: { type: 'toggle' } }];
}
