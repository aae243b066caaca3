import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { decodeAddress, type Endpoint, encodeAddress } from '../../../engine/core/stun/address.ts';
import { CHANGE_REQUEST } from '../../../engine/core/stun/attribute-types.ts';
import {
  type BindingResponse,
  decodeBindingResponse,
  encodeBindingRequest,
  encodeBindingResponse,
} from '../../../engine/core/stun/binding.ts';
import { changeRequest, readChangeRequest } from '../../../engine/core/stun/change-request.ts';
import { errorCode, readErrorCode } from '../../../engine/core/stun/error-code.ts';
import { crc32 } from '../../../engine/core/stun/fingerprint.ts';
import { mappedAddress } from '../../../engine/core/stun/mapped-address.ts';
import { decodeStun, encodeStun, type StunAttribute, type StunMessage } from '../../../engine/core/stun/message.ts';
import { readSoftware, software } from '../../../engine/core/stun/software.ts';
import { readUnknownAttributes, unknownAttributes } from '../../../engine/core/stun/unknown-attributes.ts';
import { readXorMappedAddress, xorMappedAddress } from '../../../engine/core/stun/xor-mapped-address.ts';

const transactionId = Uint8Array.from({ length: 12 }, (_, i) => 17 * i);
const holding = (...attributes: StunAttribute[]): StunMessage => ({
  class: 'success',
  method: 1,
  transactionId,
  attributes,
});

const endpoints: fc.Arbitrary<Endpoint> = fc.record({
  ip: fc
    .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map((bytes) => ipaddr.fromByteArray([...bytes]).toString()),
  port: fc.integer({ min: 1, max: 65_535 }),
});

describe('addresses', () => {
  test('of both families come back as they were, plain and masked', () => {
    fc.assert(
      fc.property(endpoints, (endpoint) => {
        expect(decodeAddress(encodeAddress(endpoint))).toEqual(endpoint);
        expect(readXorMappedAddress(holding(xorMappedAddress(endpoint, transactionId)))).toEqual(endpoint);
      }),
    );
  });

  test('are written in the form of RFC 5952 and without a zone', () => {
    expect(decodeAddress(encodeAddress({ ip: '2001:DB8:0:0:0:0:0:1%eth0', port: 1 }))).toEqual({
      ip: '2001:db8::1',
      port: 1,
    });
  });

  test('whose family and length disagree are no addresses', () => {
    const [v4, v6] = [encodeAddress({ ip: '192.0.2.1', port: 9 }), encodeAddress({ ip: '2001:db8::1', port: 9 })];
    expect([v4.subarray(0, 7), v6.subarray(0, 8), v6.fill(3, 1, 2), new Uint8Array(0)].map(decodeAddress)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  test('that are masked do not show on the wire', () => {
    const { value } = xorMappedAddress({ ip: '10.1.2.3', port: 4000 }, transactionId);
    expect(decodeAddress(value)).not.toMatchObject({ ip: '10.1.2.3' });
  });
});

describe('CHANGE-REQUEST', () => {
  test.each([
    [{ ip: false, port: false }, 0],
    [{ ip: false, port: true }, 2],
    [{ ip: true, port: false }, 4],
    [{ ip: true, port: true }, 6],
  ])('%j is flag %i', (change, flag) => {
    const attribute = changeRequest(change);
    expect(attribute.value).toEqual(Uint8Array.of(0, 0, 0, flag));
    expect(readChangeRequest(holding(attribute))).toEqual(change);
  });

  test('is malformed at another length', () => {
    expect(readChangeRequest(holding({ type: CHANGE_REQUEST, value: new Uint8Array(3) }))).toBeNull();
  });

  test('rides only in requests that ask for a change', () => {
    const request = (change?: { ip: boolean; port: boolean }) => {
      const decoded = decodeStun(encodeBindingRequest({ transactionId, change }));
      return decoded.kind === 'ok' && decoded.message.attributes.some(({ type }) => type === CHANGE_REQUEST);
    };
    expect([request(), request({ ip: false, port: false }), request({ ip: false, port: true })]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('ERROR-CODE and UNKNOWN-ATTRIBUTES', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 699 }), fc.string({ maxLength: 50 }), (code, phrase) => {
        expect(readErrorCode(holding(errorCode({ code, phrase })))).toEqual({ code, phrase });
      }),
    );
    expect(readUnknownAttributes(holding(unknownAttributes([3, 0x7fff])))).toEqual([3, 0x7fff]);
    expect(readUnknownAttributes(holding())).toEqual([]);
  });

  test('are null where they are malformed', () => {
    const code = (...value: number[]) => readErrorCode(holding({ type: 9, value: Uint8Array.from(value) }));
    expect([code(), code(0, 0, 2, 0), code(0, 0, 7, 0), code(0, 0, 4, 100)]).toEqual([null, null, null, null]);
    expect(readUnknownAttributes(holding({ type: 0xa, value: new Uint8Array(3) }))).toBeNull();
  });

  test('refuse codes and phrases that do not fit', () => {
    expect(() => errorCode({ code: 200, phrase: '' })).toThrow(RangeError);
    expect(() => errorCode({ code: 400, phrase: 'x'.repeat(764) })).toThrow(RangeError);
  });
});

describe('SOFTWARE', () => {
  test('is UTF-8 of at most 763 bytes', () => {
    expect(readSoftware(holding(software('Wärren')))).toBe('Wärren');
    expect(() => software('x'.repeat(764))).toThrow(RangeError);
    expect(readSoftware(holding({ type: 0x8022, value: new Uint8Array(764) }))).toBeNull();
    expect(readSoftware(holding({ type: 0x8022, value: Uint8Array.of(0xff) }))).toBe('\ufffd');
  });
});

describe('a Binding response', () => {
  const responses: fc.Arbitrary<BindingResponse> = fc.oneof(
    fc.record({
      kind: fc.constant('success' as const),
      transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
      mapped: endpoints,
      origin: fc.option(endpoints),
      other: fc.option(endpoints),
    }),
    fc.record({
      kind: fc.constant('error' as const),
      transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
      error: fc.record({ code: fc.integer({ min: 300, max: 699 }), phrase: fc.string({ maxLength: 20 }) }),
      unknown: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4 }),
    }),
  );

  test('comes back as it was', () => {
    fc.assert(
      fc.property(responses, (response) => {
        expect(decodeBindingResponse(encodeBindingResponse(response))).toEqual({ kind: 'ok', response });
      }),
    );
  });

  test('of an old server counts by MAPPED-ADDRESS', () => {
    const mapped = { ip: '203.0.113.5', port: 1234 };
    expect(decodeBindingResponse(encodeStun(holding(mappedAddress(mapped))))).toMatchObject({ response: { mapped } });
  });

  test('without an address, with port 0, of another method, or a request, is malformed', () => {
    const bytes = [
      holding(),
      holding(xorMappedAddress({ ip: '192.0.2.1', port: 0 }, transactionId)),
      { ...holding(xorMappedAddress({ ip: '192.0.2.1', port: 5 }, transactionId)), method: 3 },
      { ...holding(), class: 'request' as const },
      { ...holding(), class: 'error' as const },
    ].map((message) => encodeStun(message));
    expect(bytes.map((each) => decodeBindingResponse(each).kind)).toEqual(Array(5).fill('malformed'));
  });
});

test('the CRC is that of ITU V.42', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
});
