/** Everything that is derived from a room's name, a machine's key or a handshake's secret. */
import { blake2b } from '@noble/hashes/blake2.js';
import { concatBytes, utf8ToBytes } from './bytes.ts';
import { lvCat } from './lv.ts';
import type { Primitives } from './primitives.ts';

/** Every label and identifier starts so: another version shares no key with this one. */
export const DOMAIN = 'warren/1';
export const SCRYPT = { n: 2 ** 16, r: 8, p: 1, length: 32 } as const;

/** `warren/1/<label>` as bytes. */
export function label(name: string): Uint8Array {
  return utf8ToBytes(`${DOMAIN}/${name}`);
}

/** BLAKE2b of a label and parts, `length` bytes. */
export function labelledHash(name: string, length: number, ...parts: Uint8Array[]): Uint8Array {
  return blake2b(concatBytes(label(name), ...parts), { dkLen: length });
}

/** 32 bytes that name the room towards servers; `name` is normalised. The password plays no part in it. */
export function topicOf(name: string): Uint8Array {
  return labelledHash('topic', 32, utf8ToBytes(name));
}

/** One block of HMAC-SHA512: no key here is longer. */
const EXPANDED_BYTES = 64;

/** HKDF-SHA512 (RFC 5869) of one secret: answers `length` bytes (32, at most 64) for the info `warren/1/<name>`. */
export function keysOf(
  { hmac }: Primitives,
  secret: Uint8Array,
  salt: Uint8Array,
): (name: string, length?: number) => Uint8Array {
  const pseudorandom = hmac('sha512', salt, secret);
  return (name, length = 32) => {
    if (length > EXPANDED_BYTES) throw new Error('a key has at most 64 bytes');
    return hmac('sha512', pseudorandom, concatBytes(label(name), Uint8Array.of(1))).slice(0, length);
  };
}

/** One key of `keysOf`. */
export function expand(primitives: Primitives, secret: Uint8Array, salt: Uint8Array, name: string): Uint8Array {
  return keysOf(primitives, secret, salt)(name);
}

export function hmac256({ hmac }: Primitives, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return hmac('sha256', key, concatBytes(...parts));
}

export interface MemberKeys {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

/** The base point of X25519 (RFC 7748, section 4.1). */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/** The WireGuard key of a machine in a room: two rooms cannot be linked by it. */
export function memberKeys(primitives: Primitives, machineKey: Uint8Array, topic: Uint8Array): MemberKeys {
  const privateKey = expand(primitives, machineKey, topic, 'member');
  const publicKey = primitives.x25519(privateKey, BASE_POINT);
  if (publicKey === null) throw new Error('X25519 fails for the base point');
  return { privateKey, publicKey };
}

/** `sid` and `CI` of a pair: the session ids (16 bytes each) are in the order initiator, responder. */
export function pairId(topic: Uint8Array, initiator: Uint8Array, responder: Uint8Array): Uint8Array {
  return lvCat(utf8ToBytes(DOMAIN), topic, initiator, responder);
}
