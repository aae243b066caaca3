/**
 * Recognising a known member behind a new session id. Both keep a root in memory; the initiator puts one 8-byte hint a
 * root into message 1, which only the holder of the same root can tell from noise. Each reconnect ratchets the root.
 */
import { compareBytes, concatBytes } from '../crypto/bytes.ts';
import { hmac256, label } from '../crypto/derive.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { PeerKey } from './contract.ts';
import { HINT_BYTES, type Start } from './wire.ts';

export interface KnownRoot {
  key: PeerKey;
  publicKey: Uint8Array;
  root: Uint8Array;
}

/** Bound to both session ids (in `sid`) and to the initiator's fresh randomness (in `ad`). */
export function hintOf(primitives: Primitives, root: Uint8Array, sid: Uint8Array, ad: Uint8Array): Uint8Array {
  return hmac256(primitives, root, label('hint'), sid, ad).slice(0, HINT_BYTES);
}

/** The first hint in message 1 that a root of ours made. */
export function findHint(
  primitives: Primitives,
  start: Start,
  sid: Uint8Array,
  roots: KnownRoot[],
): { hint: number; known: KnownRoot } | null {
  if (start.hints.length === 0) return null;
  for (const known of roots) {
    const expected = hintOf(primitives, known.root, sid, start.ad);
    const hint = start.hints.findIndex((candidate) => compareBytes(candidate, expected) === 0);
    if (hint >= 0) return { hint, known };
  }
  return null;
}

/** Salt of the keys that a reconnect derives. */
export function resumeSalt(sid: Uint8Array, ad: Uint8Array, random: Uint8Array): Uint8Array {
  return concatBytes(label('resume'), sid, ad, random);
}
