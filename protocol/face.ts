/**
 * The contract of the faces with a screen (desktop window, browser): what the app may be asked, and its whole state.
 * Electron's IPC, the WebSocket on 127.0.0.1 and the test double all derive from the schemas here.
 *
 * 1. A face subscribes and gets the whole state first, then only the parts that changed (`StateChange`).
 * 2. A command is answered "accepted" (with a small result for few) or a closed error code. Progress is state.
 * 3. The app holds at most one engine: its own, or one that already ran for this user (`attached`).
 */
import * as z from 'zod';
import { CHAT_CHARACTERS, filterCommand, policyCommand, settingName, snapshot } from './app.ts';
import { fileCommand, fileId, sendFileCommand } from './files.ts';
import { ROOM_LIMITS } from './limits.ts';
import { longShotCommand } from './long-shot.ts';

export const FACE_VERSION = 1;

const roomName = z.string().min(1).max(ROOM_LIMITS.nameBytes);
const password = z.string().min(1).max(ROOM_LIMITS.passwordBytes);
const nick = z.string().min(1).max(64);
const serverUrl = z.string().min(1).max(512);

/** Which rendezvous servers a room uses: the built-in list, one that this app runs itself, or given ones. */
export const serverChoice = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('automatic') }),
  z.object({ kind: z.literal('host') }),
  z.object({ kind: z.literal('address'), urls: z.array(serverUrl).min(1).max(ROOM_LIMITS.servers) }),
]);
export type ServerChoice = z.infer<typeof serverChoice>;

export const savedRoom = z.object({
  name: z.string(),
  nick: z.string(),
  server: serverChoice,
  /** Unix time in ms. */
  lastUsed: z.number(),
});
export type SavedRoom = z.infer<typeof savedRoom>;

export const preferences = z.object({
  language: z.enum(['auto', 'en', 'zh-CN']),
  theme: z.enum(['system', 'dark', 'light']),
  /** Offered on the first screen. */
  nick: z.string().max(64),
  notifications: z.boolean(),
  /** Starts with the session of the user, in the tray. */
  autostart: z.boolean(),
  /** Joins the last room when the app starts. */
  rejoin: z.boolean(),
});
export type Preferences = z.infer<typeof preferences>;

/** What the app's one connection is doing. `failed` stays until the next command about it. */
export const connection = z.discriminatedUnion('state', [
  z.object({ state: z.literal('idle') }),
  z.object({ state: z.literal('starting'), room: z.string() }),
  /** `attached`: the engine belongs to another process (`warren up`). */
  z.object({ state: z.literal('running'), room: z.string(), attached: z.boolean() }),
  z.object({ state: z.literal('stopping'), room: z.string() }),
  z.object({ state: z.literal('failed'), room: z.string(), code: z.string(), at: z.number() }),
]);
export type Connection = z.infer<typeof connection>;

/** The server that this app runs itself. */
export const hosting = z.discriminatedUnion('state', [
  z.object({ state: z.literal('off') }),
  z.object({ state: z.literal('starting') }),
  z.object({
    state: z.literal('on'),
    /** What invites carry, best first: mapped or public, then LAN. */
    urls: z.array(z.string()),
    /** Whether friends outside this LAN can reach it; null: not known. */
    reachable: z.boolean().nullable(),
  }),
  z.object({ state: z.literal('failed'), code: z.string() }),
]);
export type Hosting = z.infer<typeof hosting>;

/** An invite that was opened and waits for a yes. Its password stays in the app. */
export const invitation = z.object({
  name: z.string(),
  servers: z.array(z.string()),
  /** The room that a yes would leave, null when there is none. */
  leaving: z.string().nullable(),
});
export type Invitation = z.infer<typeof invitation>;

export const appState = z.object({
  /** The engine's; `off` while there is none. */
  snapshot,
  connection,
  hosting,
  /** Newest first. */
  rooms: z.array(savedRoom),
  preferences,
  invitation: invitation.nullable(),
  /** Fixed for the life of the app. */
  about: z.object({
    version: z.string(),
    platform: z.string(),
    shell: z.enum(['electron', 'browser']),
    /** System language as a BCP 47 tag. */
    locale: z.string(),
    /** The built-in rendezvous servers; empty: `automatic` cannot be chosen. */
    servers: z.array(z.string()),
  }),
});
export type AppState = z.infer<typeof appState>;
/** The parts of the state that changed, whole; the first of a subscription has all. */
export const stateChange = appState.partial();
export type StateChange = Partial<AppState>;

export const appCommand = z.discriminatedUnion('type', [
  /** Leaves the present room first. `password` null: the saved room's. */
  z.object({
    type: z.literal('join'),
    room: roomName,
    password: password.nullable(),
    nick,
    server: serverChoice,
    create: z.boolean(),
  }),
  z.object({ type: z.literal('leave') }),
  /** The tray's click: leaves, or joins the room used last. `not-joined` when there is none. */
  z.object({ type: z.literal('toggle') }),
  z.object({ type: z.literal('forget'), room: roomName }),
  /** Takes away a `failed` connection. */
  z.object({ type: z.literal('dismiss') }),
  /** Makes `invitation` of a `warren://` link, or answers `invalid`. */
  z.object({ type: z.literal('open-invite'), link: z.string().min(1).max(1_024) }),
  z.object({ type: z.literal('answer-invite'), accept: z.boolean(), nick: nick.optional() }),
  z.object({ type: z.literal('invite') }),
  z.object({ type: z.literal('discovery-check') }),
  z.object({ type: z.literal('chat'), text: z.string().min(1).max(CHAT_CHARACTERS) }),
  z.object({ type: z.literal('ping'), peer: z.string().min(1).max(128) }),
  z.object({ type: z.literal('block'), peer: z.string().min(1).max(128), on: z.boolean() }),
  longShotCommand,
  z.object({ type: z.literal('set'), setting: settingName, on: z.boolean() }),
  filterCommand,
  policyCommand,
  sendFileCommand,
  fileCommand,
  z.object({ type: z.literal('prefer'), change: preferences.partial() }),
  /** Answered with a bundle without secrets: `DiagnosticsResult`. */
  z.object({ type: z.literal('diagnostics') }),
  /** The window itself; `unsupported` in a browser. */
  z.object({ type: z.literal('window'), mode: z.enum(['full', 'mini', 'hide']) }),
  /** Shows a file that has arrived in its folder, selected and not opened; `unsupported` in a browser. */
  z.object({ type: z.literal('show-file'), id: fileId }),
  z.object({ type: z.literal('quit') }),
]);
export type AppCommand = z.infer<typeof appCommand>;

export const inviteResult = z.object({ link: z.string() });
export type InviteLinkResult = z.infer<typeof inviteResult>;
/** `text` is JSON, to be saved under `name`. */
export const diagnosticsResult = z.object({ name: z.string(), text: z.string() });
export type DiagnosticsResult = z.infer<typeof diagnosticsResult>;

/** How every transport answers a command. */
export const commandAnswer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), code: z.string(), message: z.string().optional() }),
]);
export type CommandAnswer = z.infer<typeof commandAnswer>;

/**
 * WebSocket messages of the browser UI, JSON text. The first from the browser is `hello`; anything else before it ends
 * the connection. `code` is the one-time code of the URL's fragment, `token` what an earlier code was turned into.
 */
export const WEB_SOCKET_PATH = '/face';
/** Close code for a hello without a valid code or token: asking again will not help. RFC 6455, 7.4.2: 4000 to 4999 are ours. */
export const WEB_CLOSE_REFUSED = 4401;
export const webClientMessage = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('hello'),
    version: z.literal(FACE_VERSION),
    code: z.string().max(128).optional(),
    token: z.string().max(128).optional(),
  }),
  z.object({ t: z.literal('command'), id: z.int().min(0), command: appCommand }),
]);
export type WebClientMessage = z.infer<typeof webClientMessage>;
export const webServerMessage = z.discriminatedUnion('t', [
  z.object({ t: z.literal('welcome'), token: z.string() }),
  z.object({ t: z.literal('state'), change: stateChange }),
  z.object({ t: z.literal('answer'), id: z.int(), answer: commandAnswer }),
]);
export type WebServerMessage = z.infer<typeof webServerMessage>;

/** What a face's code holds, whichever transport is below; Electron's preload exposes one as `window.warren` (ipc.ts). */
export interface AppClient {
  /** Calls back with the whole state first, then with what changed. The result unsubscribes. */
  subscribe(listener: (change: StateChange) => void): () => void;
  /** Never rejects; a lost connection answers `unreachable`. */
  command(command: AppCommand): Promise<CommandAnswer>;
  /** True while the app can be asked; calls back at once and at every change. */
  onLink(listener: (up: boolean) => void): () => void;
  /** Where a file that the person chose or dropped lies on this machine. Absent where that cannot be known (a browser). */
  pathOf?(file: unknown): string;
}
