import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeInvite, encodeInvite } from '../../../protocol/invite.ts';
import { PASSWORD_BITS, suggestPassword, suggestRoomName } from '../../../protocol/suggest.ts';

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

it('offers passwords of at least 60 bits', () => {
  expect(PASSWORD_BITS).toBeGreaterThanOrEqual(60);
  expect(suggestPassword(random)).toMatch(/^(?:[a-z]+-){5}\d{6}$/);
});

it('offers names that are easy to say', () => {
  expect(suggestRoomName(random)).toMatch(/^[a-z]+-[a-z]+-\d\d$/);
});

it('does not repeat itself', () => {
  const passwords = new Set(Array.from({ length: 500 }, () => suggestPassword(random)));
  expect(passwords.size).toBe(500);
});

it('takes all it says from the given randomness, and every word is possible', () => {
  const fixed = (): ((length: number) => Uint8Array) => {
    let next = 0;
    return (length) => Uint8Array.from({ length }, () => (next = (next * 5 + 3) % 251));
  };
  expect(suggestPassword(fixed())).toBe(suggestPassword(fixed()));
  const words = new Set(Array.from({ length: 4_000 }, () => suggestRoomName(random).split('-')[0]));
  // 295 words; the chance that 4,000 draws miss five of them is below one in a million.
  expect(words.size).toBeGreaterThan(290);
});

it('fits an invite', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (stream) => {
      const bytes = (length: number) => Uint8Array.from({ length }, () => stream.next().value as number);
      const invite = { name: suggestRoomName(bytes), password: suggestPassword(bytes), servers: ['wss://a.example'] };
      expect(decodeInvite(encodeInvite(invite))).toEqual({ ok: true, invite });
    }),
    { numRuns: 50 },
  );
});
