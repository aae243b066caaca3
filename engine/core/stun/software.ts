/** SOFTWARE (RFC 8489, section 14.14): a description for diagnostics, at most 763 bytes of UTF-8. */
import { bytesToUtf8, utf8ToBytes } from '@noble/ciphers/utils.js';
import { SOFTWARE } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

const MAX_BYTES = 763;

/** Throws RangeError on a longer text. */
export function software(text: string): StunAttribute {
  const value = utf8ToBytes(text);
  if (value.length > MAX_BYTES) throw new RangeError(`SOFTWARE has at most ${MAX_BYTES} bytes`);
  return { type: SOFTWARE, value };
}

/** Null where it is absent or too long; bytes that are not UTF-8 become U+FFFD. */
export function readSoftware(message: StunMessage): string | null {
  const value = findAttribute(message, SOFTWARE);
  return value && value.length <= MAX_BYTES ? bytesToUtf8(value) : null;
}
