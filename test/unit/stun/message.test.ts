import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FINGERPRINT, isComprehensionRequired } from '../../../engine/core/stun/attribute-types.ts';
import { decodeBindingResponse } from '../../../engine/core/stun/binding.ts';
import {
  decodeStun,
  encodeStun,
  findAttribute,
  looksLikeStun,
  METHOD_BINDING,
  type StunMessage,
} from '../../../engine/core/stun/message.ts';
import { SAMPLE_REQUEST } from './vectors.ts';

const transactionId = new Uint8Array(12).fill(7);

const messages: fc.Arbitrary<StunMessage> = fc.record({
  class: fc.constantFrom('request', 'indication', 'success', 'error'),
  method: fc.integer({ min: 0, max: 0xfff }),
  transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  attributes: fc.array(
    fc.record({
      type: fc.integer({ min: 0, max: 0xffff }).filter((type) => type !== FINGERPRINT),
      value: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 6 },
  ),
});

describe('a message', () => {
  test('comes back from the wire as it was', () => {
    fc.assert(
      fc.property(messages, fc.boolean(), (message, fingerprint) => {
        const bytes = encodeStun(message, { fingerprint });
        const back = decodeStun(bytes);
        if (back.kind !== 'ok') throw new Error(back.kind);
        const attributes = back.message.attributes.filter(({ type }) => type !== FINGERPRINT);
        expect({ ...back.message, attributes }).toEqual(message);
        expect(findAttribute(back.message, FINGERPRINT) !== null).toBe(fingerprint);
        expect(bytes.length % 4).toBe(0);
      }),
    );
  });

  test('is 20 bytes where a Binding request says nothing', () => {
    const bytes = encodeStun({ class: 'request', method: METHOD_BINDING, transactionId, attributes: [] });
    expect(Buffer.from(bytes).toString('hex')).toBe(`000100002112a442${'07'.repeat(12)}`);
  });

  test('puts the class bits between the method bits (RFC 8489, figure 3)', () => {
    const type = (cls: StunMessage['class']) =>
      Buffer.from(encodeStun({ class: cls, method: 0xfff, transactionId, attributes: [] })).readUInt16BE(0);
    expect([type('request'), type('indication'), type('success'), type('error')]).toEqual([
      0x3eef, 0x3eff, 0x3fef, 0x3fff,
    ]);
  });

  test('is refused by the encoder where it does not fit', () => {
    const base: StunMessage = { class: 'request', method: 1, transactionId, attributes: [] };
    expect(() => encodeStun({ ...base, transactionId: new Uint8Array(16) })).toThrow(RangeError);
    expect(() => encodeStun({ ...base, method: 0x1000 })).toThrow(RangeError);
    expect(() => encodeStun({ ...base, attributes: [{ type: 1, value: new Uint8Array(65_535) }] })).toThrow(RangeError);
  });

  test('says which types a receiver must understand', () => {
    expect([0x0003, 0x7fff, 0x8000, 0x802c].map(isComprehensionRequired)).toEqual([true, true, false, false]);
  });
});

describe('hostile bytes', () => {
  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['too short for a header', (b) => b.subarray(0, 19)],
    ['with a top bit set', (b) => patched(b, 0, 0x40)],
    ['without the cookie', (b) => patched(b, 4, 0x20)],
    ['empty', () => new Uint8Array(0)],
  ])('%s are not STUN', (_, spoil) => {
    expect(decodeStun(spoil(SAMPLE_REQUEST))).toEqual({ kind: 'not-stun' });
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['cut short', (b) => b.subarray(0, b.length - 4)],
    ['with bytes behind', (b) => Uint8Array.of(...b, 0, 0, 0, 0)],
    ['with an unaligned length', (b) => patched(b.subarray(0, b.length - 1), 3, 0x57)],
    ['with an attribute that passes the end', (b) => patched(b, 0x16, 0xff)],
    ['with a wrong fingerprint', (b) => patched(b, b.length - 1, 0)],
  ])('%s are malformed', (_, spoil) => {
    expect(decodeStun(spoil(SAMPLE_REQUEST))).toEqual({ kind: 'malformed' });
  });

  test('a fingerprint before the end is malformed', () => {
    const attributes = [
      { type: FINGERPRINT, value: new Uint8Array(4) },
      { type: 0x8022, value: new Uint8Array(4) },
    ];
    const bytes = encodeStun({ class: 'request', method: 1, transactionId, attributes });
    expect(decodeStun(bytes)).toEqual({ kind: 'malformed' });
  });

  test('never make a decoder throw', () => {
    const mutated = fc
      .tuple(
        fc.constant(SAMPLE_REQUEST),
        fc.array(fc.tuple(fc.nat(SAMPLE_REQUEST.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(SAMPLE_REQUEST.length),
      )
      .map(([sample, edits, length]) =>
        edits.reduce<Uint8Array>((bytes, [at, value]) => patched(bytes, at, value), sample).subarray(0, length),
      );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated, headed()), (bytes) => {
        const { kind } = decodeStun(bytes);
        expect(kind === 'not-stun').toBe(!looksLikeStun(bytes));
        expect(['not-stun', 'malformed', 'ok']).toContain(decodeBindingResponse(bytes).kind);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** Any attributes behind a correct header of a Binding success or error. */
function headed(): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.constantFrom('0101', '0111'), fc.uint8Array({ maxLength: 120 })).map(([type, body]) => {
    const rest = body.subarray(0, body.length & ~3);
    const length = rest.length.toString(16).padStart(4, '0');
    return Uint8Array.of(...Buffer.from(`${type}${length}2112a442${'07'.repeat(12)}`, 'hex'), ...rest);
  });
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
