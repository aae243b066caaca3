/**
 * The diagnostics bundle: what a person who helps needs to see, and nothing that only the user may know. It is made of
 * chosen parts, never of the whole state, and the text among them is searched for what is known to be secret.
 */
import { randomBytes } from 'node:crypto';
import { release } from 'node:os';
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import type { AppState, Connection, DiagnosticsResult, Hosting, ServerChoice } from '../../protocol/face.ts';
import type { LogLine } from './log-ring.ts';
import { maskIps, redactor, shortKey } from './redact.ts';

export interface DiagnosticsInput {
  state: AppState;
  log: readonly LogLine[];
  /** Known to this process beyond the state. */
  passwords: readonly string[];
  now: Date;
}

type Clean = (text: string) => string;

export function diagnosticsBundle({ state, log, passwords, now }: DiagnosticsInput): DiagnosticsResult {
  const clean = redactor(randomBytes(8).toString('hex'), { passwords, names: namesOf(state) });
  const { snapshot, connection, hosting, rooms, preferences, about } = state;
  const { nick: _, ...chosen } = preferences;
  const bundle = {
    warrenDiagnostics: 1,
    made: now.toISOString(),
    versions: { warren: about.version, node: process.versions.node, electron: process.versions.electron ?? null },
    system: {
      platform: about.platform,
      release: release(),
      arch: process.arch,
      shell: about.shell,
      locale: about.locale,
    },
    preferences: chosen,
    builtInServers: about.servers,
    rooms: rooms.map(({ server, lastUsed }) => ({ server: choiceOf(server, clean), lastUsed })),
    connection: connectionOf(connection, clean),
    hosting: hostingOf(hosting, clean),
    snapshot: snapshotOf(snapshot, clean),
    log: log.map(({ at, level, message }) => `${new Date(at).toISOString()} ${level} ${clean(message)}`),
  };
  const stamp = now.toISOString().slice(0, 16).replaceAll(':', '-');
  return { name: `warren-diagnostics-${stamp}.json`, text: `${JSON.stringify(bundle, null, 2)}\n` };
}

/** Every text of the state that names a room, a person or a place. */
function namesOf({ snapshot, connection, rooms, preferences, invitation, hosting, about }: AppState): string[] {
  const urls = [
    ...rooms.flatMap(({ server }) => (server.kind === 'address' ? server.urls : [])),
    ...(invitation?.servers ?? []),
    ...(hosting.state === 'on' ? hosting.urls : []),
    ...(snapshot.room ? [snapshot.room.server] : []),
  ].filter((url) => !about.servers.includes(url));
  return [
    preferences.nick,
    ...rooms.flatMap(({ name, nick }) => [name, nick]),
    ...(snapshot.room ? [snapshot.room.name] : []),
    ...(snapshot.self ? [snapshot.self.nick] : []),
    ...snapshot.peers.map(({ nick }) => nick),
    ...snapshot.notices.flatMap(({ nick }) => nick ?? []),
    ...snapshot.chat.map(({ nick }) => nick),
    ...(invitation ? [invitation.name] : []),
    ...(connection.state === 'idle' ? [] : [connection.room]),
    ...urls.flatMap(hostName),
  ];
}

/** A name that is no address: somebody's home may have one. Addresses are masked wherever they are. */
function hostName(url: string): string[] {
  try {
    const { hostname } = new URL(url);
    return /^[\d.]+$|^\[|^localhost$/.test(hostname) ? [] : [hostname];
  } catch {
    return [];
  }
}

function choiceOf(server: ServerChoice, clean: Clean): unknown {
  return server.kind === 'address' ? { kind: server.kind, urls: server.urls.map((url) => urlOf(url, clean)) } : server;
}

/** Scheme, host and port: the rest of a URL may be a secret. */
function urlOf(url: string, clean: Clean): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${clean(host)}`;
  } catch {
    return '[no URL]';
  }
}

function connectionOf(connection: Connection, clean: Clean): unknown {
  return connection.state === 'idle' ? connection : { ...connection, room: clean(connection.room) };
}

function hostingOf(hosting: Hosting, clean: Clean): unknown {
  return hosting.state === 'on' ? { ...hosting, urls: hosting.urls.map((url) => urlOf(url, clean)) } : hosting;
}

/** Of the chat only how much there was: nobody logs it, and nobody else may read it. */
function snapshotOf(snapshot: Snapshot, clean: Clean): unknown {
  const { version, state, room, self, peers, notices, settings, chat, filter, names, files, discovery, device } =
    snapshot;
  return {
    version,
    state,
    room: room && { name: clean(room.name), server: urlOf(room.server, clean) },
    self: self && {
      nick: clean(self.nick),
      publicKey: shortKey(self.publicKey),
      ipv4: maskIps(self.ipv4),
      ipv6: maskIps(self.ipv6),
      interface: self.interface,
      nat: maskIps(self.nat),
    },
    peers: peers.map((peer) => peerOf(peer, clean)),
    notices: notices.map(({ code, nick, at }) => ({ code, ...(nick === undefined ? {} : { nick: clean(nick) }), at })),
    settings,
    chatMessages: chat.length,
    // A policy's path and its problem may name people.
    filter: filter && {
      preset: filter.preset,
      policy: filter.policy && { ...filter.policy, file: null, problem: filter.policy.problem !== null },
    },
    // What is played here is a person's own affair.
    discovery: { ...discovery, games: discovery.games.length },
    names: names?.state,
    device,
    files: files?.map(({ direction, size, done, state: how, problem }) => ({
      direction,
      size,
      done,
      state: how,
      problem,
    })),
  };
}

function peerOf(peer: PeerSnapshot, clean: Clean): unknown {
  return {
    nick: clean(peer.nick),
    publicKey: shortKey(peer.publicKey),
    ipv4: maskIps(peer.ipv4),
    ipv6: maskIps(peer.ipv6),
    blocked: peer.blocked,
    state: peer.state,
    path: peer.path && { ...peer.path, remote: clean(peer.path.remote) },
    reason: peer.reason,
    punch: peer.punch,
    nat: maskIps(peer.nat),
    rxBytes: peer.rxBytes,
    txBytes: peer.txBytes,
    lastHandshake: peer.lastHandshake,
    timeline: peer.timeline,
    filtered: peer.access?.filtered,
    broadcasts: peer.broadcasts,
  };
}
