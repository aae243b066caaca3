/** Everything that is derived from a room's name, a machine's key or a handshake's secret. */
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { extract, expand as hkdfExpand } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from './bytes.ts';
import { lvCat } from './lv.ts';

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

/** HKDF-SHA512 (RFC 5869) of one secret: answers `length` bytes (32) for the info `warren/1/<name>`. */
export function keysOf(secret: Uint8Array, salt: Uint8Array): (name: string, length?: number) => Uint8Array {
  const pseudorandom = extract(sha512, secret, salt);
  return (name, length = 32) => hkdfExpand(sha512, pseudorandom, label(name), length);
}

/** One key of `keysOf`. */
export function expand(secret: Uint8Array, salt: Uint8Array, name: string, length = 32): Uint8Array {
  return keysOf(secret, salt)(name, length);
}

export function hmac256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return hmac(sha256, key, concatBytes(...parts));
}

export interface MemberKeys {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

/** The base point of X25519 (RFC 7748, section 4.1). */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/**
 * The WireGuard key of a machine in a room: two rooms cannot be linked by it. By the ladder, since `getPublicKey` first
 * makes tables for many keys (60 ms of the start), and there is one.
 */
export function memberKeys(machineKey: Uint8Array, topic: Uint8Array): MemberKeys {
  const privateKey = expand(machineKey, topic, 'member');
  return { privateKey, publicKey: x25519.scalarMult(privateKey, BASE_POINT) };
}

/** X25519; null when the other key is of low order (RFC 7748 section 6.1). */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch {
    return null;
  }
}

/** `sid` and `CI` of a pair: the session ids (16 bytes each) are in the order initiator, responder. */
export function pairId(topic: Uint8Array, initiator: Uint8Array, responder: Uint8Array): Uint8Array {
  return lvCat(utf8ToBytes(DOMAIN), topic, initiator, responder);
}
