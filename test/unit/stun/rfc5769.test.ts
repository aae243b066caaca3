import { describe, expect, test } from 'vitest';
import {
  FINGERPRINT,
  MESSAGE_INTEGRITY,
  NONCE,
  REALM,
  SOFTWARE,
  USERNAME,
} from '../../../engine/core/stun/attribute-types.ts';
import { decodeBindingResponse } from '../../../engine/core/stun/binding.ts';
import { decodeStun, findAttribute, type StunMessage } from '../../../engine/core/stun/message.ts';
import { readSoftware } from '../../../engine/core/stun/software.ts';
import {
  SAMPLE_IPV4_RESPONSE,
  SAMPLE_IPV6_RESPONSE,
  SAMPLE_LONG_TERM_REQUEST,
  SAMPLE_REQUEST,
  SHORT_TERM_TRANSACTION,
} from './vectors.ts';

function decoded(bytes: Uint8Array): StunMessage {
  const result = decodeStun(bytes);
  if (result.kind !== 'ok') throw new Error(result.kind);
  return result.message;
}
const text = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString('utf8');

describe('the vectors of RFC 5769', () => {
  test('2.1: the request is read with its software, username and fingerprint', () => {
    const message = decoded(SAMPLE_REQUEST);
    expect(message.class).toBe('request');
    expect(message.method).toBe(1);
    expect(message.transactionId).toEqual(SHORT_TERM_TRANSACTION);
    expect(readSoftware(message)).toBe('STUN test client');
    expect(text(findAttribute(message, USERNAME))).toBe('evtj:h6vY');
    expect(message.attributes.map(({ type }) => type)).toEqual([
      SOFTWARE,
      0x0024,
      0x8029,
      USERNAME,
      MESSAGE_INTEGRITY,
      FINGERPRINT,
    ]);
  });

  test('2.2: the IPv4 response maps to 192.0.2.1:32853', () => {
    expect(readSoftware(decoded(SAMPLE_IPV4_RESPONSE))).toBe('test vector');
    expect(decodeBindingResponse(SAMPLE_IPV4_RESPONSE)).toMatchObject({
      kind: 'ok',
      response: { kind: 'success', mapped: { ip: '192.0.2.1', port: 32853 }, origin: null, other: null },
    });
  });

  test('2.3: the IPv6 response maps to its address in the form of RFC 5952', () => {
    expect(decodeBindingResponse(SAMPLE_IPV6_RESPONSE)).toMatchObject({
      kind: 'ok',
      response: { kind: 'success', mapped: { ip: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 } },
    });
  });

  test('2.4: the long-term request, without fingerprint, is read', () => {
    const message = decoded(SAMPLE_LONG_TERM_REQUEST);
    expect(text(findAttribute(message, USERNAME))).toBe('マトリックス');
    expect(text(findAttribute(message, NONCE))).toBe('f//499k954d6OL34oL9FSTvy64sA');
    expect(text(findAttribute(message, REALM))).toBe('example.org');
  });

  test.each([
    ['request', SAMPLE_REQUEST],
    ['IPv4 response', SAMPLE_IPV4_RESPONSE],
    ['IPv6 response', SAMPLE_IPV6_RESPONSE],
  ])('one flipped bit anywhere behind the cookie of the %s breaks the fingerprint', (_, sample) => {
    for (let bit = 8 * 8; bit < sample.length * 8; bit++) {
      const broken = sample.slice();
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const again = decodeStun(broken);
      // A flip in the type of FINGERPRINT itself makes it another attribute, which only authentication could tell.
      const hidden = again.kind === 'ok' && findAttribute(again.message, FINGERPRINT) === null;
      expect(again.kind === 'malformed' || hidden).toBe(true);
    }
  });
});
