import { expect, it } from 'vitest';
import { Access } from '../../../../cli/ui/access.ts';

it('makes codes of 256 bits, each for one token', () => {
  const access = new Access();
  const codes = Array.from({ length: 3 }, () => access.newCode());
  for (const code of codes) expect(Buffer.from(code, 'base64url')).toHaveLength(32);
  const tokens = codes.map((code) => access.admit({ code }));
  expect(new Set([...codes, ...tokens]).size).toBe(6);
  for (const code of codes) expect(access.admit({ code })).toBeNull();
});

it('keeps the newest four of the addresses that nobody opened', () => {
  const access = new Access();
  const codes = Array.from({ length: 5 }, () => access.newCode());
  expect(codes.map((code) => access.admit({ code }) !== null)).toEqual([false, true, true, true, true]);
});

it('does not take a code for a token, nor a token for a code', () => {
  const access = new Access();
  const code = access.newCode();
  expect(access.admit({ token: code })).toBeNull();
  const token = access.admit({ code }) ?? '';
  expect(access.admit({ code: token })).toBeNull();
  expect(access.admit({ token })).toBe(token);
});
