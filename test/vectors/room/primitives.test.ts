import { hkdf } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../../../engine/core/crypto/bytes.ts';
import { keysOf, label } from '../../../engine/core/crypto/derive.ts';
import { PORTABLE } from '../../../engine/core/crypto/primitives.ts';
import { systemPrimitives } from '../../../engine/net/primitives.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe.each([
  ['in JavaScript', PORTABLE],
  ["by Node's library", systemPrimitives],
])('the primitives %s', (_, primitives) => {
  it('compute X25519 as RFC 7748 section 5.2 does', () => {
    const scalar = hexToBytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const u = hexToBytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const product = hexToBytes('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    expect(primitives.x25519(scalar, u)).toEqual(product);
  });

  it('refuse public keys of low order', () => {
    const order8 = hexToBytes('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800');
    for (const key of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31)), order8]) {
      expect(primitives.x25519(new Uint8Array(32).fill(7), key)).toBeNull();
    }
  });

  it('compute HMAC as RFC 4231 section 4.3 does', () => {
    const [key, data] = [Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')];
    expect(Buffer.from(primitives.hmac('sha256', key, data)).toString('hex')).toMatch(/^5bdcc146bf60754e.*ec3843$/);
    expect(Buffer.from(primitives.hmac('sha512', key, data)).toString('hex')).toMatch(/^164b7a7bfcf819e2.*38bce737$/);
  });

  it('derive keys as HKDF-SHA512 does', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.integer({ min: 1, max: 64 }), (secret, salt, length) => {
        const expected = hkdf(sha512, secret, salt, label('seal'), length);
        expect(keysOf(primitives, secret, salt)('seal', length)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});

it('agree on every X25519, of keys that nobody made as well', () => {
  fc.assert(
    fc.property(bytes(32), bytes(32), (privateKey, publicKey) => {
      expect(systemPrimitives.x25519(privateKey, publicKey)).toEqual(PORTABLE.x25519(privateKey, publicKey));
    }),
    { numRuns: 20 },
  );
});
