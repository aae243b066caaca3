/**
 * The rendezvous protocol at `/v1`: JSON control messages in text frames, and binary frames
 * `type(1) | member(8) | payload`, where member is the destination upstream and the source downstream.
 *
 * 1. The client says `hello` with its topic and a random session id, in the upgrade request already; the server answers
 *    `welcome` with everyone there.
 * 2. Later comers are told by `joined`, leavers by `left`. Nobody learns another member's address here.
 * 3. Members prove the password to each other in `signal` frames (few and small until both have allowed each other).
 * 4. A member that has seen a proof sends `allow`; relay frames pass only to a receiver that allowed the sender.
 */
import * as z from 'zod';
import { SERVER_ERROR_CODES } from './errors.ts';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
export const memberId = hex(8);
export const topicId = hex(32);
export const sessionId = hex(16);

export const clientMessage = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('hello'),
    /** Versions offered, any order. */
    versions: z.array(z.int().min(1).max(255)).min(1).max(8),
    topic: topicId,
    session: sessionId,
    /** From the last welcome: takes the place of the half-open connection that it names. */
    resume: hex(16).optional(),
  }),
  z.object({ t: z.literal('allow'), member: memberId }),
  z.object({ t: z.literal('deny'), member: memberId }),
]);
export type ClientMessage = z.infer<typeof clientMessage>;
export type Hello = Extract<ClientMessage, { t: 'hello' }>;

/**
 * Header of the upgrade request: the `hello` as JSON, which saves a round trip. A server that took it has the header in its
 * answer too; any other hears the hello in the first message.
 */
export const HELLO_HEADER = 'warren-hello';

const member = z.object({
  member: memberId,
  session: sessionId,
  /** Opaque tag of where the member connects from, the same for equal sources of this server run. */
  source: z.string().min(1).max(32),
});
export type ServerMember = z.infer<typeof member>;

const endpoint = z.object({ ip: z.string().max(64), port: z.int().min(1).max(65_535) });

export const serverMessage = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('welcome'),
    version: z.int(),
    member: memberId,
    /** The client's own endpoint as the server sees this connection. */
    observed: endpoint,
    members: z.array(member).max(250),
    /**
     * STUN endpoints; `ip` is left out where it is the address that the client dialled. `second-port` is the same
     * address with another port; `alternate` has another address (RFC 5780).
     */
    stun: z
      .array(
        z.object({
          ip: z.string().max(64).optional(),
          port: z.int().min(1).max(65_535),
          role: z.enum(['primary', 'second-port', 'alternate']),
        }),
      )
      .max(8),
    limits: z.object({
      frameBytes: z.int(),
      relayPayloadBytes: z.int(),
      signalsPerSecond: z.int(),
      relayBytesPerSecond: z.int(),
    }),
    resume: hex(16),
  }),
  member.extend({ t: z.literal('joined') }),
  z.object({ t: z.literal('left'), member: memberId }),
  z.object({ t: z.literal('error'), code: z.enum(SERVER_ERROR_CODES), retryAfterMs: z.int().min(0).optional() }),
  z.object({ t: z.literal('going-away'), retryAfterMs: z.int().min(0) }),
]);
export type ServerMessage = z.infer<typeof serverMessage>;
export type Welcome = Extract<ServerMessage, { t: 'welcome' }>;

/** First byte of a binary frame. */
export const FRAME_SIGNAL = 1;
export const FRAME_RELAY = 2;
export const FRAME_HEADER_BYTES = 9;

export type BinaryFrame = { type: typeof FRAME_SIGNAL | typeof FRAME_RELAY; member: string; payload: Uint8Array };

/** `type | member | payload`; member is 16 lower-case hex digits. */
export function encodeFrame(frame: BinaryFrame): Uint8Array {
  const out = new Uint8Array(FRAME_HEADER_BYTES + frame.payload.length);
  out[0] = frame.type;
  for (let i = 0; i < 8; i++) out[1 + i] = Number.parseInt(frame.member.slice(2 * i, 2 * i + 2), 16);
  out.set(frame.payload, FRAME_HEADER_BYTES);
  return out;
}

/** Null for anything that is not a frame. The payload is a view of `bytes`. */
export function decodeFrame(bytes: Uint8Array): BinaryFrame | null {
  const type = bytes[0];
  if (bytes.length < FRAME_HEADER_BYTES || (type !== FRAME_SIGNAL && type !== FRAME_RELAY)) return null;
  let id = '';
  for (let i = 1; i < FRAME_HEADER_BYTES; i++) id += (bytes[i] ?? 0).toString(16).padStart(2, '0');
  return { type, member: id, payload: bytes.subarray(FRAME_HEADER_BYTES) };
}
