/**
 * The app contract: what every face (CLI, window, browser) may ask of an engine, and the one snapshot that it
 * publishes. The snapshot is `warren status --json`; changes are additive only.
 *
 * Control transports carry one JSON object a line. The server speaks first: `{"warren":1}`. A request
 * `{"id":N,"command":{...}}` is answered by `{"id":N,"ok":true,"result":...}` or `{"id":N,"ok":false,"code":"..."}`;
 * after `watch` snapshots follow as `{"snapshot":{...}}`. A refusal may carry a `message` for the log beside its `code`.
 *
 * The window and the browser hold more than one engine's life: see protocol/face.ts, which contains this snapshot.
 */
import * as z from 'zod';
import { DISCOVERY_OFF, discoveryView } from './discovery.ts';
import { fileCommand, fileTransfer, sendFileCommand } from './files.ts';
import { filterPreset, filterView, memberAccess, POLICY_CHARACTERS } from './filter.ts';
import { longShotCommand, longShotView } from './long-shot.ts';
import { natReport } from './nat.ts';

export const CONTROL_VERSION = 1;
/** Longest chat message, UTF-16 units. */
export const CHAT_CHARACTERS = 1_000;

export const pathKind = z.enum(['lan', 'ipv6', 'direct', 'peer-relay', 'turn', 'relay']);
export type PathKind = z.infer<typeof pathKind>;

export const peerPath = z.object({
  kind: pathKind,
  /** `ip:port`, or the server's host for a relay. */
  remote: z.string(),
  rttMs: z.number().nullable(),
  jitterMs: z.number().nullable(),
  lossPct: z.number().nullable(),
  /** Longest IP packet that is known to pass, in bytes; null for a relay, which carries every size. */
  mtu: z.int().nullable().optional(),
  /** Unix time in ms since when it carries traffic. */
  since: z.number(),
});
export type PeerPath = z.infer<typeof peerPath>;

/** Why a connected peer has no direct path (yet). */
export const relayReason = z.enum([
  'connecting',
  'relay-only',
  'udp-blocked-here',
  'udp-blocked-there',
  'hard-nat-pair',
  'one-way',
  'no-answer',
  'no-candidates',
  'path-lost',
  'hard-nat-off',
  /** Both are behind one public address, and that NAT does not let neighbours meet. */
  'no-hairpin',
  'budget',
  'gave-up',
]);
export type RelayReason = z.infer<typeof relayReason>;

/** One entry of a member's path timeline. */
export const pathChange = z.object({
  /** Unix time in ms. */
  at: z.number(),
  /** Null: no path carried from then on. */
  kind: pathKind.nullable(),
  why: z.enum(['first', 'better', 'dead', 'clearly-better']),
  /** Smoothed round trip of the new path at that moment, where it was known. */
  rttMs: z.number().nullable(),
  /** The punch that was under way when this path came to be: `birthday`, `bracket`, `crossing`, `ambush`, `long-shot`, or a later one. */
  punch: z.string().optional(),
});
export type PathChange = z.infer<typeof pathChange>;

export const chatMessage = z.object({
  /** The sender's, 16 random bytes in hex: the same message never shows twice. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  /** The sender's public key. */
  from: z.string(),
  /** The sender's nickname when it was sent: hostile text. */
  nick: z.string(),
  text: z.string(),
  /** Unix time in ms of the receiver's (or own) clock. */
  at: z.number(),
});
export type ChatMessage = z.infer<typeof chatMessage>;

export const peerSnapshot = z.object({
  nick: z.string(),
  publicKey: z.string(),
  ipv4: z.string().nullable(),
  ipv6: z.string().nullable(),
  blocked: z.boolean(),
  state: z.enum(['connecting', 'connected', 'lost']),
  path: peerPath.nullable(),
  reason: relayReason.nullable(),
  punch: z
    .object({
      strategy: z.string(),
      phase: z.string(),
      probesSent: z.number(),
      probesMax: z.number(),
      mappings: z.number(),
      odds: z.number().nullable(),
    })
    .nullable(),
  nat: natReport.nullable(),
  rxBytes: z.number(),
  txBytes: z.number(),
  /** Unix time in ms of the last WireGuard handshake. */
  lastHandshake: z.number().nullable(),
  /** How the path changed, oldest first; the last 32. */
  timeline: z.array(pathChange).default([]),
  /** `nick.warren`, in ASCII, as this host resolves it. Absent: the engine does not tell. */
  name: z.string().optional(),
  /** Datagrams to everybody that came from the member: taken, and held back by the limits. Absent: the engine does not tell. */
  broadcasts: z.object({ received: z.number(), dropped: z.number() }).optional(),
  /** What the member may begin here. Absent: the engine does not tell. */
  access: memberAccess.optional(),
  /** A gamble that both people may agree on. Absent: there is nothing to gamble for, or the engine does not tell. */
  longShot: longShotView.optional(),
});
export type PeerSnapshot = z.infer<typeof peerSnapshot>;

export const settingName = z.enum(['port-mapping', 'hard-nat', 'discovery']);
export type SettingName = z.infer<typeof settingName>;
/** Where each setting lies in the snapshot and in the file. */
export const SETTING_KEYS = { 'port-mapping': 'portMapping', 'hard-nat': 'hardNat', discovery: 'discovery' } as const;

/** Of the tunnel since it opened, for those who look for a fault. Absent: the engine does not tell. */
const deviceCounters = z.object({
  /** Events that came faster than the engine took them. */
  eventsDropped: z.number(),
  /** Datagrams that were not a member's. */
  datagramsRejected: z.number(),
  /** Packets that the system did not take. */
  txDropped: z.number(),
  /** Packets from or to an address that no member has. */
  routeMisses: z.number(),
  /** Packets dropped because too much waited (bulkLate: of bulkDropped, those that had waited for too long), and what waits now. */
  queue: z.object({
    expressDropped: z.number(),
    bulkDropped: z.number(),
    bulkLate: z.number(),
    bulkBytes: z.number(),
    bulkWaitMs: z.number(),
    receiveDropped: z.number(),
  }),
});
export type DeviceCounters = z.infer<typeof deviceCounters>;

export const snapshot = z.object({
  version: z.literal(1),
  state: z.enum(['off', 'joining', 'joined', 'reconnecting']),
  room: z.object({ name: z.string(), server: z.string() }).nullable(),
  self: z
    .object({
      nick: z.string(),
      publicKey: z.string(),
      ipv4: z.string().nullable(),
      ipv6: z.string().nullable(),
      interface: z.string().nullable(),
      nat: natReport,
    })
    .nullable(),
  peers: z.array(peerSnapshot),
  /** What the person should know now, newest last: closed codes, with the member concerned where there is one. */
  notices: z.array(z.object({ code: z.string(), nick: z.string().optional(), at: z.number() })),
  settings: z.object({
    portMapping: z.boolean(),
    hardNat: z.boolean(),
    relayOnly: z.boolean(),
    /** Broadcast and multicast of games reach every member. */
    discovery: z.boolean().default(true),
  }),
  discovery: discoveryView.default(DISCOVERY_OFF),
  /** The last 100 messages of this run, oldest first. */
  chat: z.array(chatMessage).default([]),
  /** Absent: the engine does not tell. */
  filter: filterView.optional(),
  /** Files between this host and members. Absent: the engine has no interface to send them over, or does not tell. */
  files: z.array(fileTransfer).optional(),
  /** How `nick.warren` is resolved here: by every program, by those that ask LLMNR or mDNS, or not. Absent: not told. */
  names: z
    .object({ state: z.enum(['system', 'multicast', 'off']), server: z.string().nullable(), own: z.string() })
    .optional(),
  device: deviceCounters.optional(),
});
export type Snapshot = z.infer<typeof snapshot>;

/** Who may reach this host, now and for later. */
export const filterCommand = z.object({ type: z.literal('filter'), preset: filterPreset });
/** The text of a policy file (docs/policy.md) instead of the preset, kept for later; null: the preset again. */
export const policyCommand = z.object({
  type: z.literal('policy'),
  text: z.string().max(POLICY_CHARACTERS).nullable(),
});

export const command = z.discriminatedUnion('type', [
  z.object({ type: z.literal('status') }),
  z.object({ type: z.literal('watch') }),
  z.object({ type: z.literal('down') }),
  z.object({ type: z.literal('set'), setting: settingName, on: z.boolean() }),
  filterCommand,
  policyCommand,
  sendFileCommand,
  fileCommand,
  z.object({ type: z.literal('ping'), peer: z.string().max(128), timeoutMs: z.number().min(1).max(60_000) }),
  z.object({ type: z.literal('block'), peer: z.string().max(128), on: z.boolean() }),
  longShotCommand,
  z.object({ type: z.literal('invite') }),
  /** Who hears this host's broadcasts: `DiscoveryCheck`. */
  z.object({ type: z.literal('discovery-check') }),
  /** To everyone in the room. `not-joined` while nobody can be told. */
  z.object({ type: z.literal('chat'), text: z.string().min(1).max(CHAT_CHARACTERS) }),
]);
export type Command = z.infer<typeof command>;

/** Result of `ping`: one end-to-end probe over the path in use. */
export const pingResult = z.object({
  nick: z.string(),
  ipv4: z.string().nullable(),
  rttMs: z.number(),
  path: pathKind,
});
export type PingResult = z.infer<typeof pingResult>;
