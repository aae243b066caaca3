/**
 * Payloads of signal frames, by their first byte (docs/protocol.md, "Handshake" and "Signals"). Decoders answer null
 * for everything else.
 */
import { bytesToHex, concatBytes, fromLe64, hexToBytes, le64 } from '../crypto/bytes.ts';
import { SHARE_BYTES } from '../crypto/cpace.ts';
import { TAG_BYTES } from '../crypto/seal.ts';

export const KIND_START = 1;
export const KIND_REPLY = 2;
export const KIND_PROOF = 3;
export const KIND_CONFIRM = 4;
export const KIND_RESUME = 5;
export const KIND_RESUMED = 6;
export const KIND_ABORT = 7;
export const KIND_SIGNAL = 8;
export const KIND_TUNNEL = 9;
export const KIND_READY = 10;
export const KIND_BEGIN = 11;

export const HINT_BYTES = 8;
export const MAC_BYTES = 32;
export const KEY_BYTES = 32;
/** WireGuard paper, section 5.4.2. */
export const INITIATION_BYTES = 148;
const AD_RANDOM_BYTES = 32;
const MAX_VERSIONS = 8;
const TUNNEL_TAG_BYTES = 4;
const COUNTER_BYTES = 8;

/** Associated data of CPace: the versions offered and fresh randomness, nothing that could tell who speaks. */
export function encodeAd(versions: readonly number[], random: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(versions.length, ...versions), random.subarray(0, AD_RANDOM_BYTES));
}

export function adVersions(ad: Uint8Array): number[] {
  return [...ad.subarray(1, 1 + (ad[0] ?? 0))];
}

/** The associated data that begins at `at`, or null. */
function adAt(bytes: Uint8Array, at: number): Uint8Array | null {
  const count = bytes[at] ?? 0;
  const end = at + 1 + count + AD_RANDOM_BYTES;
  return count >= 1 && count <= MAX_VERSIONS && end <= bytes.length ? bytes.slice(at, end) : null;
}

/** Message 1: `1 | Ya | ADa | HMAC with the room tag, or random | count | hints`. */
export interface Start {
  share: Uint8Array;
  ad: Uint8Array;
  mac: Uint8Array;
  /** What the sender expects from members that it knows but has not met on this server (see reconnect.ts). */
  hints: Uint8Array[];
}

export function encodeStart(start: Start): Uint8Array {
  return concatBytes(
    Uint8Array.of(KIND_START),
    start.share,
    start.ad,
    start.mac,
    Uint8Array.of(start.hints.length),
    ...start.hints,
  );
}

export function decodeStart(bytes: Uint8Array): Start | null {
  if (bytes[0] !== KIND_START) return null;
  const share = bytes.slice(1, 1 + SHARE_BYTES);
  const ad = adAt(bytes, 1 + SHARE_BYTES);
  if (ad === null) return null;
  const macAt = 1 + SHARE_BYTES + ad.length;
  const hintsAt = macAt + MAC_BYTES + 1;
  const count = bytes[hintsAt - 1];
  if (count === undefined || bytes.length !== hintsAt + count * HINT_BYTES) return null;
  const hints = Array.from({ length: count }, (_, i) =>
    bytes.slice(hintsAt + i * HINT_BYTES, hintsAt + (i + 1) * HINT_BYTES),
  );
  return { share, ad, mac: bytes.slice(macAt, macAt + MAC_BYTES), hints };
}

/** Of a responder that waits for message 1 and holds the room tag: `10 | HMAC with the room tag`. */
export function encodeReady(mac: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_READY), mac);
}

export function decodeReady(bytes: Uint8Array): Uint8Array | null {
  return bytes[0] === KIND_READY && bytes.length === 1 + MAC_BYTES ? bytes.slice(1) : null;
}

/** Behind message 3, while nothing can be relayed yet: `11 | initiation of the tunnel (WireGuard's message 1)`. */
export function encodeBegin(initiation: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_BEGIN), initiation);
}

export function decodeBegin(bytes: Uint8Array): Uint8Array | null {
  return bytes[0] === KIND_BEGIN && bytes.length === 1 + INITIATION_BYTES ? bytes.subarray(1) : null;
}

/** Message 2: `2 | Yb | ADb | sealed static key`. */
export interface Reply {
  share: Uint8Array;
  ad: Uint8Array;
  sealed: Uint8Array;
}

export function encodeReply(reply: Reply): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_REPLY), reply.share, reply.ad, reply.sealed);
}

export function decodeReply(bytes: Uint8Array): Reply | null {
  if (bytes[0] !== KIND_REPLY) return null;
  const ad = adAt(bytes, 1 + SHARE_BYTES);
  if (ad === null) return null;
  const sealed = bytes.slice(1 + SHARE_BYTES + ad.length);
  return sealed.length === KEY_BYTES + TAG_BYTES ? { share: bytes.slice(1, 1 + SHARE_BYTES), ad, sealed } : null;
}

/** Answer to a hint: `5 | index of the hint | random(32) | sealed nothing`. */
export interface Resume {
  hint: number;
  random: Uint8Array;
  sealed: Uint8Array;
}

export function encodeResume(resume: Resume): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_RESUME, resume.hint), resume.random, resume.sealed);
}

export function decodeResume(bytes: Uint8Array): Resume | null {
  if (bytes[0] !== KIND_RESUME || bytes.length !== 2 + AD_RANDOM_BYTES + TAG_BYTES) return null;
  return {
    hint: bytes[1] ?? 0,
    random: bytes.slice(2, 2 + AD_RANDOM_BYTES),
    sealed: bytes.slice(2 + AD_RANDOM_BYTES),
  };
}

/** `kind | sealed`, for messages whose counter both sides know. */
export function encodeSealed(kind: number, sealed: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(kind), sealed);
}

/** A signal by a server: `8 | counter(8, little-endian) | sealed`. */
export function encodeSignal(counter: number, sealed: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_SIGNAL), le64(counter), sealed);
}

export function decodeSignal(bytes: Uint8Array): { counter: number; sealed: Uint8Array } | null {
  if (bytes[0] !== KIND_SIGNAL || bytes.length < 1 + COUNTER_BYTES + TAG_BYTES) return null;
  const counter = fromLe64(bytes.subarray(1, 1 + COUNTER_BYTES));
  return counter === null ? null : { counter, sealed: bytes.subarray(1 + COUNTER_BYTES) };
}

/** A signal in the tunnel: `9 | session tag(4) | counter(8, little-endian) | sealed`. */
export function encodeTunnel(tag: string, counter: number, sealed: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(KIND_TUNNEL), hexToBytes(tag), le64(counter), sealed);
}

export function decodeTunnel(bytes: Uint8Array): { tag: string; counter: number; sealed: Uint8Array } | null {
  const at = 1 + TUNNEL_TAG_BYTES;
  if (bytes[0] !== KIND_TUNNEL || bytes.length < at + COUNTER_BYTES + TAG_BYTES) return null;
  const counter = fromLe64(bytes.subarray(at, at + COUNTER_BYTES));
  if (counter === null) return null;
  return { tag: bytesToHex(bytes.subarray(1, at)), counter, sealed: bytes.subarray(at + COUNTER_BYTES) };
}

/** Sealed part of message 3: `key(32) | generation held(8) | proof(32) | greeting`. */
export interface ProofBody {
  key: Uint8Array;
  /** The generation that the initiator already holds with this member, or zeros. */
  held: Uint8Array;
  proof: Uint8Array;
  greeting: Uint8Array;
}
export const GENERATION_BYTES = 8;

export function encodeProofBody(body: ProofBody): Uint8Array {
  return concatBytes(body.key, body.held, body.proof, body.greeting);
}

export function decodeProofBody(bytes: Uint8Array): ProofBody | null {
  const proofAt = KEY_BYTES + GENERATION_BYTES;
  if (bytes.length < proofAt + MAC_BYTES) return null;
  return {
    key: bytes.slice(0, KEY_BYTES),
    held: bytes.slice(KEY_BYTES, proofAt),
    proof: bytes.slice(proofAt, proofAt + MAC_BYTES),
    greeting: bytes.slice(proofAt + MAC_BYTES),
  };
}
