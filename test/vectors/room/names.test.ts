import { x25519 } from '@noble/curves/ed25519.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, fromBase64, toBase64 } from '../../../engine/core/crypto/bytes.ts';
import { memberKeys, topicOf } from '../../../engine/core/crypto/derive.ts';
import { normaliseName, opaqueString, stripTrailingNewline } from '../../../engine/core/crypto/names.ts';
import { PORTABLE } from '../../../engine/core/crypto/primitives.ts';

describe('room names', () => {
  it.each([
    ['Den', 'den'],
    ['  the   old\tmill ', 'the old mill'],
    ['ＦＵＬＬ　ｗｉｄｔｈ', 'full width'],
    ['Straße', 'straße'],
    ['ﬁne', 'fine'],
    ['Cafe\u0301', 'caf\u00e9'],
    ['İstanbul', 'i\u0307stanbul'],
    ['魔兽 争霸', '魔兽 争霸'],
  ])('%j is %j', (typed, name) => {
    expect(normaliseName(typed)).toBe(name);
    expect(normaliseName(name)).toBe(name);
  });

  it('give the topic, which the password plays no part in', () => {
    expect(bytesToHex(topicOf('den'))).toMatch(/^[0-9a-f]{64}$/);
    expect(topicOf('den')).not.toEqual(topicOf('den2'));
  });
});

describe('passwords (RFC 8265 section 4.3, table 3)', () => {
  it.each([
    ['correct horse battery staple', 'correct horse battery staple'],
    ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'],
    ['Jack of \u2666s', 'Jack of \u2666s'],
    ['foo\u1680bar', 'foo bar'],
    ['e\u0301', '\u00e9'],
  ])('%j is %j', (typed, password) => {
    expect(opaqueString(typed)).toBe(password);
  });

  it.each([
    ['', 'empty'],
    ['my cat is a \u0009by', 'a control'],
    ['a\u200bb', 'an ignorable'],
    ['a\u{e000}', 'private use'],
  ])('refuses %j: %s', (typed) => {
    expect(opaqueString(typed)).toBeNull();
  });

  it('lose one newline of their file', () => {
    expect(stripTrailingNewline('secret\n')).toBe('secret');
    expect(stripTrailingNewline('secret\r\n')).toBe('secret');
    expect(stripTrailingNewline('secret\n\n')).toBe('secret\n');
    expect(stripTrailingNewline(' secret ')).toBe(' secret ');
  });
});

describe('keys', () => {
  it('of one machine differ from room to room', () => {
    const machine = new Uint8Array(32).fill(9);
    const [a, b] = [memberKeys(PORTABLE, machine, topicOf('a')), memberKeys(PORTABLE, machine, topicOf('b'))];
    expect(a.publicKey).not.toEqual(b.publicKey);
    expect(memberKeys(PORTABLE, machine, topicOf('a'))).toEqual(a);
    expect(toBase64(a.publicKey)).toHaveLength(44);
  });

  it('have the public key of RFC 7748 for their private key', () => {
    for (let fill = 0; fill < 8; fill++) {
      const { privateKey, publicKey } = memberKeys(PORTABLE, new Uint8Array(32).fill(fill), topicOf('room'));
      expect(publicKey).toEqual(x25519.getPublicKey(privateKey));
    }
  });

  it('travel as base64 (RFC 4648 section 10), canonical only', () => {
    expect(toBase64(Uint8Array.from(Buffer.from('foobar')))).toBe('Zm9vYmFy');
    expect(toBase64(Uint8Array.from(Buffer.from('foob')))).toBe('Zm9vYg==');
    for (const bad of ['Zm9vYg=', 'Zm9vYh==', 'Zm9v\n', 'Zm9*', '====']) expect(fromBase64(bad)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
  });
});
