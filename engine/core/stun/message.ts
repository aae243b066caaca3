/** The STUN message: 20 bytes of header, then attributes padded to 4 bytes (RFC 8489, sections 5 and 14). */
import { FINGERPRINT } from './attribute-types.ts';
import { FINGERPRINT_BYTES, fingerprintOf } from './fingerprint.ts';

export const MAGIC_COOKIE = 0x2112a442;
export const HEADER_BYTES = 20;
export const TRANSACTION_ID_BYTES = 12;
export const METHOD_BINDING = 0x001;
const ATTRIBUTE_HEADER_BYTES = 4;
const METHOD_MAX = 0xfff;

/** In the order of the class bits C1 C0 (RFC 8489, section 5). */
const CLASSES = ['request', 'indication', 'success', 'error'] as const;
export type StunClass = (typeof CLASSES)[number];

export interface StunAttribute {
  type: number;
  /** Without padding. */
  value: Uint8Array;
}

export interface StunMessage {
  class: StunClass;
  /** 12 bits; Binding is 1. */
  method: number;
  /** 12 bytes. */
  transactionId: Uint8Array;
  /** In the order of the wire; a type may occur more than once and then the first counts. */
  attributes: StunAttribute[];
}

export type StunDecoded =
  /** Some other protocol's datagram. */
  | { kind: 'not-stun' }
  /** Carries the cookie, but lengths, padding or FINGERPRINT are wrong. */
  | { kind: 'malformed' }
  | { kind: 'ok'; message: StunMessage };

/** True for a header with zero top bits and the magic cookie; says nothing of what follows. */
export function looksLikeStun(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES || (bytes[0] ?? 0) > 0x3f) return false;
  return viewOf(bytes).getUint32(4) === MAGIC_COOKIE;
}

/** Decodes one datagram. Never throws; values are views of `bytes`. */
export function decodeStun(bytes: Uint8Array): StunDecoded {
  if (!looksLikeStun(bytes)) return { kind: 'not-stun' };
  const view = viewOf(bytes);
  const length = view.getUint16(2);
  if (length % 4 !== 0 || HEADER_BYTES + length !== bytes.length) return { kind: 'malformed' };
  const attributes = decodeAttributes(bytes, view);
  if (attributes === null || !fingerprintHolds(bytes, attributes)) return { kind: 'malformed' };
  const type = view.getUint16(0);
  return {
    kind: 'ok',
    message: {
      class: CLASSES[((type >> 7) & 0b10) | ((type >> 4) & 0b01)] ?? 'request',
      method: (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80),
      transactionId: bytes.subarray(8, HEADER_BYTES),
      attributes,
    },
  };
}

/**
 * Encodes a message; with `fingerprint` a FINGERPRINT closes it (RFC 8489, section 14.7).
 * Throws RangeError where the message does not fit its fields: a mistake of the caller.
 */
export function encodeStun(message: StunMessage, options: { fingerprint?: boolean } = {}): Uint8Array {
  if (message.transactionId.length !== TRANSACTION_ID_BYTES) throw new RangeError('a transaction id has 12 bytes');
  if (message.method < 0 || message.method > METHOD_MAX) throw new RangeError('a method has 12 bits');
  const trailer = options.fingerprint ? ATTRIBUTE_HEADER_BYTES + FINGERPRINT_BYTES : 0;
  let length = trailer;
  for (const { value } of message.attributes) length += ATTRIBUTE_HEADER_BYTES + padded(value.length);
  if (length > 0xffff) throw new RangeError('a STUN message has at most 65,535 bytes of attributes');

  const bytes = new Uint8Array(HEADER_BYTES + length);
  const view = viewOf(bytes);
  view.setUint16(0, typeField(message));
  view.setUint16(2, length);
  view.setUint32(4, MAGIC_COOKIE);
  bytes.set(message.transactionId, 8);
  let at = HEADER_BYTES;
  for (const { type, value } of message.attributes) at = writeAttribute(bytes, view, at, type, value);
  if (options.fingerprint) writeAttribute(bytes, view, at, FINGERPRINT, fingerprintOf(bytes.subarray(0, at)));
  return bytes;
}

/** The first attribute of that type, which is the one that counts (RFC 8489, section 14). */
export function findAttribute(message: StunMessage, type: number): Uint8Array | null {
  return message.attributes.find((attribute) => attribute.type === type)?.value ?? null;
}

function decodeAttributes(bytes: Uint8Array, view: DataView): StunAttribute[] | null {
  const attributes: StunAttribute[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const length = view.getUint16(at + 2);
    const start = at + ATTRIBUTE_HEADER_BYTES;
    if (start + padded(length) > bytes.length) return null;
    attributes.push({ type: view.getUint16(at), value: bytes.subarray(start, start + length) });
    at = start + padded(length);
  }
  return attributes;
}

/** A FINGERPRINT is optional, but it must be the last attribute and match. */
function fingerprintHolds(bytes: Uint8Array, attributes: StunAttribute[]): boolean {
  const index = attributes.findIndex(({ type }) => type === FINGERPRINT);
  if (index === -1) return true;
  const value = attributes[index]?.value;
  if (index !== attributes.length - 1 || value?.length !== FINGERPRINT_BYTES) return false;
  const expected = fingerprintOf(bytes.subarray(0, bytes.length - ATTRIBUTE_HEADER_BYTES - FINGERPRINT_BYTES));
  return expected.every((byte, i) => byte === value[i]);
}

/** Twelve method bits with the two class bits between them (RFC 8489, figure 3). */
function typeField({ method, class: cls }: StunMessage): number {
  const c = CLASSES.indexOf(cls);
  return (method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2) | ((c & 0b01) << 4) | ((c & 0b10) << 7);
}

function writeAttribute(bytes: Uint8Array, view: DataView, at: number, type: number, value: Uint8Array): number {
  view.setUint16(at, type);
  view.setUint16(at + 2, value.length);
  bytes.set(value, at + ATTRIBUTE_HEADER_BYTES);
  return at + ATTRIBUTE_HEADER_BYTES + padded(value.length);
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
