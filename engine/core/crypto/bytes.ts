/** Byte helpers that the language lacks without Node or a browser. */
import { bytesToUtf8 } from '@noble/ciphers/utils.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

export { bytesToHex, concatBytes, hexToBytes, utf8ToBytes };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, value]));

/** Base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let letter = 0; letter < 4; letter++) {
      text += i + letter > bytes.length ? '=' : ALPHABET[(group >> (18 - 6 * letter)) & 63];
    }
  }
  return text;
}

/** Null unless `text` is the one canonical padded base64 of some bytes. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < text.length; i += 4) {
    let group = 0;
    for (let letter = 0; letter < 4; letter++) {
      const isPad = i + letter >= text.length - padding;
      const value = isPad ? 0 : VALUES.get(text[i + letter] ?? '');
      if (value === undefined) return null;
      group = (group << 6) | value;
    }
    for (let shift = 16; shift >= 0; shift -= 8) if (at < bytes.length) bytes[at++] = (group >> shift) & 255;
  }
  return toBase64(bytes) === text ? bytes : null;
}

/** Bytes of a base64 key of exactly `length` bytes, else null. */
export function keyFromBase64(text: string, length = 32): Uint8Array | null {
  const bytes = fromBase64(text);
  return bytes?.length === length ? bytes : null;
}

/** Null for bytes that are not UTF-8. */
export function utf8FromBytes(bytes: Uint8Array): string | null {
  try {
    return bytesToUtf8(bytes);
  } catch {
    return null;
  }
}

/** Equality in time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A whole number below 2^53 as 8 little-endian bytes. */
export function le64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value >>> 0, true);
  view.setUint32(4, Math.floor(value / 2 ** 32), true);
  return bytes;
}

/** Reads 8 little-endian bytes; null at 2^53 and above, which no honest counter reaches. */
export function fromLe64(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const value = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}
