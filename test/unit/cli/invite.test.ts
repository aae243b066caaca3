import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInvite, encodeInvite, INVITE_BYTES, isServerUrl } from '../../../protocol/invite.ts';
import { ROOM_LIMITS } from '../../../protocol/limits.ts';

const text = (bytes: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: bytes })
    .filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value) && Buffer.byteLength(value) <= bytes);
const server = fc
  .tuple(fc.constantFrom('ws', 'wss'), fc.domain(), fc.integer({ min: 1, max: 65_535 }))
  .map(([scheme, host, port]) => `${scheme}://${host}:${port}`)
  .filter((url) => url.length <= 90);
const invites = fc.record({
  name: text(ROOM_LIMITS.nameBytes),
  password: text(ROOM_LIMITS.passwordBytes),
  servers: fc.array(server, { minLength: 1, maxLength: 3 }),
});

const base64url = (plain: string) => Buffer.from(plain).toString('base64url');

describe('an invite link', () => {
  it('gives back every invite that it was made from', () => {
    fc.assert(
      fc.property(invites, (invite) => {
        const link = encodeInvite(invite);
        expect(link.length).toBeLessThanOrEqual(INVITE_BYTES);
        expect(link).toMatch(/^warren:\/\/join#v=1&n=[\w-]+&p=[\w-]+(&s=[\w-]+){1,4}$/);
        expect(decodeInvite(link)).toEqual({ ok: true, invite });
      }),
    );
  });

  it('is the link of the design for a known room', () => {
    const link = encodeInvite({ name: 'lan', password: 'hunter2', servers: ['ws://192.0.2.1:8080'] });
    expect(link).toBe(
      `warren://join#v=1&n=${base64url('lan')}&p=${base64url('hunter2')}&s=${base64url('ws://192.0.2.1:8080')}`,
    );
  });

  const good = encodeInvite({ name: 'LAN 夜', password: 'p', servers: ['wss://a.example'] });
  const [, name, password, where] = good.split('&');

  it.each([
    ['another scheme', 'https://join#v=1', 'not-ours'],
    ['another action', good.replace('join', 'quit'), 'not-ours'],
    ['an unknown key', `${good}&x=1`, 'malformed'],
    ['an inherited key', `${good}&constructor=1`, 'malformed'],
    ['no server', `warren://join#v=1&${name}&${password}`, 'malformed'],
    ['five servers', good + `&${where}`.repeat(4), 'malformed'],
    ['two names', `${good}&${name}`, 'malformed'],
    ['two passwords', `${good}&${password}`, 'malformed'],
    ['two versions', `${good}&v=1`, 'malformed'],
    ['an empty name', `warren://join#v=1&n=&${password}&${where}`, 'malformed'],
    ['padding', `${good}=`, 'malformed'],
    ['standard base64', good.replace(/n=[^&]*/, 'n=a+/b'), 'malformed'],
    ['bits left over', good.replace(/p=[^&]*/, 'p=cB'), 'malformed'],
    ['bytes that are no UTF-8', good.replace(/n=[^&]*/, 'n=_w'), 'malformed'],
    [
      'a control character',
      good.replace(/n=[^&]*/, `n=${Buffer.from('a\u001b[2J').toString('base64url')}`),
      'malformed',
    ],
    [
      'a server that is a file',
      good.replace(/s=[^&]*/, `s=${Buffer.from('file:///x').toString('base64url')}`),
      'malformed',
    ],
    ['a later version', good.replace('v=1', 'v=2'), 'version'],
    ['1,025 bytes', `${good}&s=${'A'.repeat(INVITE_BYTES)}`, 'too-long'],
  ])('with %s is refused', (_, link, problem) => {
    expect(decodeInvite(link)).toEqual({ ok: false, problem });
  });

  it('never throws, and what it accepts it would have made', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.string().map((tail) => `warren://join#${tail}`),
      fc
        .tuple(fc.nat(good.length - 1), fc.string({ maxLength: 2 }))
        .map(([at, by]) => good.slice(0, at) + by + good.slice(at + 1)),
    );
    fc.assert(
      fc.property(hostile, (link) => {
        const result = decodeInvite(link);
        if (result.ok) expect(decodeInvite(encodeInvite(result.invite))).toEqual(result);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['an empty password', { name: 'a', password: '', servers: ['ws://a'] }],
    ['a lone surrogate', { name: '\ud800', password: 'p', servers: ['ws://a'] }],
    ['no server', { name: 'a', password: 'p', servers: [] }],
    [
      'too much text',
      { name: 'a', password: 'p', servers: Array(4).fill(`ws://${'a'.repeat(60)}/${'b'.repeat(190)}`) },
    ],
  ])('is not made of %s', (_, invite) => {
    expect(() => encodeInvite(invite)).toThrowError(expect.objectContaining({ code: 'invalid' }));
  });
});

describe('a server URL', () => {
  it.each(['ws://192.0.2.1:8080', 'wss://warren.example', 'wss://[2001:db8::1]:443/v1', 'https://warren.example/'])(
    'may be %s',
    (url) => {
      expect(isServerUrl(url)).toBe(true);
    },
  );
  it.each(['warren.example', 'ftp://a', 'ws://', 'ws://a b', 'ws://user@host', 'ws://a?b', 'ws://a#b', 'ws://a:b'])(
    'may not be %s',
    (url) => {
      expect(isServerUrl(url)).toBe(false);
    },
  );
});
