/**
 * Peer messages, sealed for a server or for the tunnel. A tunnel frame holds at most 1,200 bytes (probe messages), so
 * longer messages go in parts there: `index | count | piece`, in order; a lost part loses its message, which its
 * sender repeats.
 */
import { ROOM_LIMITS } from '../../../protocol/limits.ts';
import { type PeerMessage, peerMessage } from '../../../protocol/peer.ts';
import { concatBytes, utf8FromBytes, utf8ToBytes } from '../crypto/bytes.ts';
import { aad, type Session } from './session.ts';
import { decodeSignal, decodeTunnel, encodeSignal, encodeTunnel, KIND_SIGNAL, KIND_TUNNEL } from './wire.ts';

/** 1,200 less header (13), tag (16) and the part's own two bytes. */
const PIECE_BYTES = 1_200 - 13 - 16 - 2;

export function encodeMessage(message: PeerMessage): Uint8Array {
  return utf8ToBytes(JSON.stringify(message));
}

/** Null for what is no message of this version. */
export function decodeMessage(bytes: Uint8Array): PeerMessage | null {
  const text = bytes.length > ROOM_LIMITS.signalBytes ? null : utf8FromBytes(bytes);
  if (text === null) return null;
  try {
    const parsed = peerMessage.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

export function sealSignal(session: Session, topic: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const { counter, sealed } = session.sealer.seal(plaintext, aad(topic, KIND_SIGNAL));
  return encodeSignal(counter, sealed);
}

/** Plaintext, or null for what does not verify. */
export function openSignal(session: Session, topic: Uint8Array, payload: Uint8Array): Uint8Array | null {
  const signal = decodeSignal(payload);
  return signal && session.opener.open(signal.counter, signal.sealed, aad(topic, KIND_SIGNAL));
}

export function sealTunnel(session: Session, topic: Uint8Array, plaintext: Uint8Array): Uint8Array[] {
  const count = Math.max(1, Math.ceil(plaintext.length / PIECE_BYTES));
  return Array.from({ length: count }, (_, index) => {
    const piece = plaintext.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
    const part = concatBytes(Uint8Array.of(index, count), piece);
    const { counter, sealed } = session.tunnelSealer.seal(part, aad(topic, KIND_TUNNEL));
    return encodeTunnel(session.tag, counter, sealed);
  });
}

/** Puts parts together again, one message at a time. */
export class Parts {
  #pieces: Uint8Array[] = [];

  /** The whole message once its last part came. */
  add(part: Uint8Array): Uint8Array | null {
    const [index, count] = part;
    if (index === 0) this.#pieces = [];
    if (index === undefined || count === undefined || index !== this.#pieces.length || index >= count) return null;
    this.#pieces.push(part.subarray(2));
    if (this.#pieces.length * PIECE_BYTES > ROOM_LIMITS.signalBytes + PIECE_BYTES) this.#pieces = [];
    if (this.#pieces.length !== count) return null;
    const whole = concatBytes(...this.#pieces);
    this.#pieces = [];
    return whole;
  }
}

/** The part inside a tunnel frame of one of these sessions. */
export function openTunnel(
  sessions: Iterable<Session>,
  topic: Uint8Array,
  payload: Uint8Array,
): { session: Session; part: Uint8Array } | null {
  const frame = decodeTunnel(payload);
  if (frame === null) return null;
  for (const session of sessions) {
    if (session.tag !== frame.tag) continue;
    const part = session.tunnelOpener.open(frame.counter, frame.sealed, aad(topic, KIND_TUNNEL));
    if (part !== null) return { session, part };
  }
  return null;
}
