/** OTHER-ADDRESS (RFC 5780, section 7.4): the server's endpoint with both another address and another port. */
import { decodeAddress, encodeAddress, type Endpoint } from './address.ts';
import { OTHER_ADDRESS } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

export function otherAddress(endpoint: Endpoint): StunAttribute {
  return { type: OTHER_ADDRESS, value: encodeAddress(endpoint) };
}

/** Null where it is absent or malformed. */
export function readOtherAddress(message: StunMessage): Endpoint | null {
  const value = findAttribute(message, OTHER_ADDRESS);
  return value && decodeAddress(value);
}
