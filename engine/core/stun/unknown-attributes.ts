/** UNKNOWN-ATTRIBUTES (RFC 8489, section 14.9): beside a 420, the types that were not understood. */
import { UNKNOWN_ATTRIBUTES } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

export function unknownAttributes(types: number[]): StunAttribute {
  return { type: UNKNOWN_ATTRIBUTES, value: Uint8Array.from(types.flatMap((type) => [type >> 8, type & 0xff])) };
}

/** Empty where it is absent; null where it is malformed. */
export function readUnknownAttributes(message: StunMessage): number[] | null {
  const value = findAttribute(message, UNKNOWN_ATTRIBUTES);
  if (value === null) return [];
  if (value.length % 2 !== 0) return null;
  const types: number[] = [];
  for (let at = 0; at < value.length; at += 2) types.push(((value[at] ?? 0) << 8) | (value[at + 1] ?? 0));
  return types;
}
