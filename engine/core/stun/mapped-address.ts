/** MAPPED-ADDRESS (RFC 8489, section 14.1): the plain form, which meddling NATs rewrite. Read only as a fallback. */
import { decodeAddress, encodeAddress, type Endpoint } from './address.ts';
import { MAPPED_ADDRESS } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

export function mappedAddress(endpoint: Endpoint): StunAttribute {
  return { type: MAPPED_ADDRESS, value: encodeAddress(endpoint) };
}

/** Null where it is absent or malformed. */
export function readMappedAddress(message: StunMessage): Endpoint | null {
  const value = findAttribute(message, MAPPED_ADDRESS);
  return value && decodeAddress(value);
}
