/** RESPONSE-PORT (RFC 5780, section 7.5): answer to this port of the asking address instead of the asking port. */
import { RESPONSE_PORT } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

export function responsePort(port: number): StunAttribute {
  return { type: RESPONSE_PORT, value: Uint8Array.of(port >> 8, port & 0xff, 0, 0) };
}

/** `absent`, or null where it is malformed. The two bytes behind the number may be counted in its length or not. */
export function readResponsePort(message: StunMessage): number | 'absent' | null {
  const value = findAttribute(message, RESPONSE_PORT);
  if (value === null) return 'absent';
  if (value.length !== 2 && value.length !== 4) return null;
  const port = ((value[0] ?? 0) << 8) | (value[1] ?? 0);
  return port === 0 ? null : port;
}
