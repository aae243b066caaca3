/** ERROR-CODE (RFC 8489, section 14.8): 300 to 699 as a class and a number, with a phrase of UTF-8. */
import { bytesToUtf8, utf8ToBytes } from '@noble/ciphers/utils.js';
import { ERROR_CODE } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

/** A request with a required attribute that this server does not support (RFC 8489, section 14.8). */
export const CODE_UNKNOWN_ATTRIBUTE = 420;
export const CODE_BAD_REQUEST = 400;
const PHRASE_OFFSET = 4;
const PHRASE_MAX_BYTES = 763;

export interface StunError {
  code: number;
  phrase: string;
}

/** Throws RangeError for a code outside 300 to 699 or a phrase above 763 bytes. */
export function errorCode({ code, phrase }: StunError): StunAttribute {
  const text = utf8ToBytes(phrase);
  if (code < 300 || code > 699) throw new RangeError('a STUN error code is 300 to 699');
  if (text.length > PHRASE_MAX_BYTES) throw new RangeError(`a phrase has at most ${PHRASE_MAX_BYTES} bytes`);
  const value = new Uint8Array(PHRASE_OFFSET + text.length);
  value[2] = Math.floor(code / 100);
  value[3] = code % 100;
  value.set(text, PHRASE_OFFSET);
  return { type: ERROR_CODE, value };
}

/** Null where it is absent or malformed. */
export function readErrorCode(message: StunMessage): StunError | null {
  const value = findAttribute(message, ERROR_CODE);
  if (value === null || value.length < PHRASE_OFFSET || value.length > PHRASE_OFFSET + PHRASE_MAX_BYTES) return null;
  const hundreds = (value[2] ?? 0) & 0x7;
  const rest = value[3] ?? 0;
  if (hundreds < 3 || hundreds > 6 || rest > 99) return null;
  return { code: hundreds * 100 + rest, phrase: bytesToUtf8(value.subarray(PHRASE_OFFSET)) };
}
