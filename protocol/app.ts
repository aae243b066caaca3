/**
 * The app contract: what every face (CLI, window, browser) may ask of an engine, and the one snapshot that it
 * publishes. The snapshot is `warren status --json`; changes are additive only.
 *
 * Control transports carry one JSON object a line. The server speaks first: `{"warren":1}`. A request
 * `{"id":N,"command":{...}}` is answered by `{"id":N,"ok":true,"result":...}` or `{"id":N,"ok":false,"code":"..."}`;
 * after `watch` snapshots follow as `{"snapshot":{...}}`.
 */
import * as z from 'zod';
import { natReport } from './nat.ts';

export const CONTROL_VERSION = 1;

export const pathKind = z.enum(['lan', 'ipv6', 'direct', 'peer-relay', 'turn', 'relay']);
export type PathKind = z.infer<typeof pathKind>;

export const peerPath = z.object({
  kind: pathKind,
  /** `ip:port`, or the server's host for a relay. */
  remote: z.string(),
  rttMs: z.number().nullable(),
  jitterMs: z.number().nullable(),
  lossPct: z.number().nullable(),
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
  'no-answer',
  'no-candidates',
  'path-lost',
  'hard-nat-off',
  'budget',
]);
export type RelayReason = z.infer<typeof relayReason>;

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
});
export type PeerSnapshot = z.infer<typeof peerSnapshot>;

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
  settings: z.object({ portMapping: z.boolean(), hardNat: z.boolean(), relayOnly: z.boolean() }),
});
export type Snapshot = z.infer<typeof snapshot>;

export const command = z.discriminatedUnion('type', [
  z.object({ type: z.literal('status') }),
  z.object({ type: z.literal('watch') }),
  z.object({ type: z.literal('down') }),
  z.object({ type: z.literal('set'), setting: z.enum(['port-mapping', 'hard-nat']), on: z.boolean() }),
  z.object({ type: z.literal('ping'), peer: z.string().max(128), timeoutMs: z.number().min(1).max(60_000) }),
  z.object({ type: z.literal('block'), peer: z.string().max(128), on: z.boolean() }),
  z.object({ type: z.literal('invite') }),
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
