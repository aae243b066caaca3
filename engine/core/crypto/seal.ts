/**
 * One direction of sealed messages: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), nonce 16 zero bytes and a 64-bit
 * little-endian counter. Each direction has its own key, and a counter is used once.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { concatBytes, le64 } from './bytes.ts';

export const TAG_BYTES = 16;

function cipher(key: Uint8Array, counter: number, aad: Uint8Array) {
  return xchacha20poly1305(key, concatBytes(new Uint8Array(16), le64(counter)), aad);
}

export interface Sealer {
  /** Uses the next counter (the first is 1). */
  seal(plaintext: Uint8Array, aad: Uint8Array): { counter: number; sealed: Uint8Array };
}

export function createSealer(key: Uint8Array): Sealer {
  let counter = 0;
  return {
    seal(plaintext, aad) {
      counter += 1;
      return { counter, sealed: cipher(key, counter, aad).encrypt(plaintext) };
    },
  };
}

export interface Opener {
  /** Null for what does not verify, and for a counter that is not above the last one that did. */
  open(counter: number, sealed: Uint8Array, aad: Uint8Array): Uint8Array | null;
}

export function createOpener(key: Uint8Array): Opener {
  let last = 0;
  return {
    open(counter, sealed, aad) {
      if (counter <= last || sealed.length < TAG_BYTES) return null;
      try {
        const plaintext = cipher(key, counter, aad).decrypt(sealed);
        last = counter;
        return plaintext;
      } catch {
        return null;
      }
    },
  };
}
