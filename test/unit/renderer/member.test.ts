import { createTranslator } from 'use-intl/core';
import { describe, expect, it } from 'vitest';
import { reasonText } from '../../../renderer/features/room/reason.ts';
import { en } from '../../../renderer/i18n/en.ts';
import { strictSide } from '../../../renderer/store/member.ts';
import { member, relayed } from '../../e2e/fixtures/members.ts';
import { NETWORKS } from '../../e2e/fixtures/networks.ts';

const { portRestricted, symmetricRandom, symmetricUnknown, udpBlocked } = NETWORKS;

describe('the strict NAT between two', () => {
  it.each([
    [portRestricted, portRestricted, null],
    [symmetricRandom, portRestricted, 'yours'],
    [portRestricted, symmetricUnknown, 'theirs'],
    [symmetricUnknown, symmetricRandom, 'both'],
    [symmetricRandom, null, 'yours'],
    [undefined, udpBlocked, null],
  ])('%#: is that whose mapping changes with the destination', (own, theirs, side) => {
    expect(strictSide(own, theirs)).toBe(side);
  });
});

describe('why a member is relayed', () => {
  const t = createTranslator({ locale: 'en', messages: en }) as unknown as Parameters<typeof reasonText>[0];
  const strict = relayed(1, 'hard-nat-pair');

  it('names the side that is strict, and both only where both are', () => {
    expect(reasonText(t, strict, 'yours')).toMatch(/^Your NAT gives/);
    expect(reasonText(t, strict, 'theirs')).toMatch(/^Their NAT gives/);
    expect(reasonText(t, strict, 'both')).toMatch(/^Both of you/);
  });

  it('never promises that IPv6 on one side is enough', () => {
    const all = Object.values(en.reason).filter((text) => /IPv6/.test(text));
    expect(all.length).toBeGreaterThan(2);
    for (const text of all) expect(text).toContain('IPv6 on both');
  });

  it('is nothing for who is reached directly', () => {
    expect(reasonText(t, member(1), null)).toBeNull();
  });
});
