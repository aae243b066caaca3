/** RESPONSE-ORIGIN (RFC 5780, section 7.3): the endpoint that the server answered from, as it sees itself. */
import { decodeAddress, encodeAddress, type Endpoint } from './address.ts';
import { RESPONSE_ORIGIN } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

export function responseOrigin(endpoint: Endpoint): StunAttribute {
  return { type: RESPONSE_ORIGIN, value: encodeAddress(endpoint) };
}

/** Null where it is absent or malformed. */
export function readResponseOrigin(message: StunMessage): Endpoint | null {
  const value = findAttribute(message, RESPONSE_ORIGIN);
  return value && decodeAddress(value);
}
