/**
 * WireGuard without cryptography: the messages have the real types, sizes and indices, and carry in clear what the
 * real ones prove (keys, timestamp, agreement on the preshared key). Round trips, timers and replay are the paper's.
 */
import { digest8 } from '../core/random.ts';
import { readCounter, writeCounter } from './counter.ts';
import { ReplayWindow } from './replay.ts';

export const INITIATION = 1;
export const RESPONSE = 2;
export const DATA = 4;

const INITIATION_BYTES = 148;
const RESPONSE_BYTES = 92;
const DATA_HEADER = 16;
const TAG = 16;

/** Spec constants of the paper, section 6.1, in milliseconds. */
export const REKEY_AFTER_MS = 120_000;
export const REJECT_AFTER_MS = 180_000;
export const REKEY_TIMEOUT_MS = 5_000;
export const REKEY_ATTEMPT_MS = 90_000;
export const KEEPALIVE_MS = 10_000;

export interface Session {
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly secret: Uint8Array;
  readonly initiator: boolean;
  readonly createdAt: number;
  readonly window: ReplayWindow;
  sendCounter: number;
}

export interface Initiation {
  senderIndex: number;
  from: string;
  to: string;
  /** Rises with each initiation of one key (TAI64N in the paper). */
  timestamp: number;
  ephemeral: Uint8Array;
}

export interface Response {
  senderIndex: number;
  receiverIndex: number;
  ephemeral: Uint8Array;
  proof: Uint8Array;
}

/** Type of a WireGuard message whose length fits it, or null. */
export function classify(bytes: Uint8Array): number | null {
  if (bytes[1] !== 0 || bytes[2] !== 0 || bytes[3] !== 0) return null;
  if (bytes[0] === INITIATION && bytes.length === INITIATION_BYTES) return INITIATION;
  if (bytes[0] === RESPONSE && bytes.length === RESPONSE_BYTES) return RESPONSE;
  return bytes[0] === DATA && bytes.length >= DATA_HEADER + TAG ? DATA : null;
}

export function encodeInitiation(message: Initiation): Uint8Array {
  const out = new Uint8Array(INITIATION_BYTES);
  const view = new DataView(out.buffer);
  out[0] = INITIATION;
  view.setUint32(4, message.senderIndex, true);
  out.set(message.ephemeral, 8);
  out.set(Buffer.from(message.from, 'hex'), 16);
  out.set(Buffer.from(message.to, 'hex'), 48);
  view.setFloat64(80, message.timestamp);
  return out;
}

export function decodeInitiation(bytes: Uint8Array): Initiation {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    senderIndex: view.getUint32(4, true),
    ephemeral: bytes.slice(8, 16),
    from: Buffer.from(bytes.subarray(16, 48)).toString('hex'),
    to: Buffer.from(bytes.subarray(48, 80)).toString('hex'),
    timestamp: view.getFloat64(80),
  };
}

export function encodeResponse(message: Response): Uint8Array {
  const out = new Uint8Array(RESPONSE_BYTES);
  const view = new DataView(out.buffer);
  out[0] = RESPONSE;
  view.setUint32(4, message.senderIndex, true);
  view.setUint32(8, message.receiverIndex, true);
  out.set(message.ephemeral, 12);
  out.set(message.proof, 20);
  return out;
}

export function decodeResponse(bytes: Uint8Array): Response {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    senderIndex: view.getUint32(4, true),
    receiverIndex: view.getUint32(8, true),
    ephemeral: bytes.slice(12, 20),
    proof: bytes.slice(20, 28),
  };
}

/** What both sides compute alike only with equal preshared keys and the same two ephemerals. */
export function handshakeSecret(psk: string, initiation: Initiation, responderEphemeral: Uint8Array): Uint8Array {
  return digest8('secret', psk, initiation.from, initiation.to, initiation.ephemeral, responderEphemeral);
}

export function handshakeProof(secret: Uint8Array): Uint8Array {
  return digest8('proof', secret);
}

/** Payload is padded to 16 bytes, but not beyond `limit`; empty is a keepalive. */
export function encodeData(session: Session, payload: Uint8Array, limit: number): Uint8Array {
  const padded = Math.max(payload.length, Math.min(Math.ceil(payload.length / 16) * 16, limit));
  const out = new Uint8Array(DATA_HEADER + padded + TAG);
  const view = new DataView(out.buffer);
  out[0] = DATA;
  view.setUint32(4, session.remoteIndex, true);
  writeCounter(out, 8, session.sendCounter++);
  out.set(payload, DATA_HEADER);
  const end = DATA_HEADER + padded;
  out.set(digest8(session.secret, out.subarray(0, end)), end);
  return out;
}

export function receiverIndexOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
}

/** The padded payload of an authentic, new packet of this session, or null. */
export function openData(session: Session, bytes: Uint8Array): Uint8Array | null {
  const end = bytes.length - TAG;
  const tag = digest8(session.secret, bytes.subarray(0, end));
  for (let i = 0; i < tag.length; i++) if (tag[i] !== bytes[end + i]) return null;
  return session.window.accept(readCounter(bytes, 8)) ? bytes.subarray(DATA_HEADER, end) : null;
}
