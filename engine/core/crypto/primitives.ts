/** The primitives of the room handshake that a process may have faster than in JavaScript. The simulator uses these. */
import { x25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';

export interface Primitives {
  /** RFC 2104 over SHA-2: 32 or 64 bytes. */
  hmac(hash: 'sha256' | 'sha512', key: Uint8Array, message: Uint8Array): Uint8Array;
  /** X25519 of two 32-byte keys; null when the public one is of low order (RFC 7748 section 6.1). */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null;
}

const HASHES = { sha256, sha512 };

/** In JavaScript alone. */
export const PORTABLE: Primitives = {
  hmac: (hash, key, message) => hmac(HASHES[hash], key, message),
  x25519: (privateKey, publicKey) => {
    try {
      return x25519.getSharedSecret(privateKey, publicKey);
    } catch {
      return null;
    }
  },
};
