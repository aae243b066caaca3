import { describe, expect, it } from 'vitest';
import { allot, chooseStrategy, makePlan } from '../../../engine/core/punch/plan.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';
import { PUNCH_LIMITS } from '../../../protocol/punch.ts';

const easy: NatReport = {
  ...UNKNOWN_NAT,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
};
const hard = (ports: NatReport['ports']): NatReport => ({
  ...easy,
  mapping: 'address-and-port-dependent',
  ports,
});
const open = (nat: NatReport): NatReport => ({ ...nat, filtering: 'endpoint-independent' });
const random = hard({ kind: 'random', low: 1_024, high: 65_535 });
const narrow: NatReport = { ...random, filtering: 'address-dependent' };
const block = hard({ kind: 'block', low: 20_480, high: 21_503 });
const counter = hard({ kind: 'sequential', step: 1, low: 5_000, high: 5_009 });
const fresh = { answers: true, standing: 0 };
const plenty = { mappings: 276, sparing: false, used: 0, hardNat: true, dependent: false, standing: 0 };

describe('what is tried', () => {
  it.each([
    ['nothing beyond the checks between two easy sides', easy, easy, null],
    ['a birthday punch for an easy and a random side', easy, random, 'birthday'],
    ['a birthday punch in a block', block, easy, 'birthday'],
    ['a birthday punch where nothing is known of the ports', easy, hard({ kind: 'unknown' }), 'birthday'],
    ['a bracket around a counter', easy, counter, 'bracket'],
    ['a bracket where the inside port is kept', easy, hard({ kind: 'preserved' }), 'bracket'],
    ['a crossing of two counters', counter, counter, 'crossing'],
    ['nothing where two draw at random', random, random, null],
    ['nothing where a counter meets a draw from all ports', counter, random, null],
    ['an ambush where a counter meets a block', counter, block, 'ambush'],
    ['an ambush where a kept port meets a block', hard({ kind: 'preserved' }), block, 'ambush'],
    ['a bracket where one lets everybody in and the other nobody', open(random), random, 'bracket'],
    ['a birthday punch where one only seems to', narrow, random, 'birthday'],
    ['a birthday punch where both let strangers in', open(random), open(random), 'birthday'],
    ['a crossing of two kept ports', hard({ kind: 'preserved' }), hard({ kind: 'preserved' }), 'crossing'],
  ])('is %s', (_name, own, theirs, strategy) => {
    expect(chooseStrategy(own, theirs, true)?.strategy ?? null).toBe(strategy);
    expect(chooseStrategy(theirs, own, false)?.strategy ?? null).toBe(strategy);
  });

  it('has one leader: the harder mapping, whatever the keys', () => {
    expect(chooseStrategy(random, easy, false)?.leads).toBe(true);
    expect(chooseStrategy(easy, random, true)?.leads).toBe(false);
  });

  it('has the drawing side lead an ambush, and whoever does not count a crossing', () => {
    const kept = hard({ kind: 'preserved' });
    for (const lower of [true, false]) {
      expect(chooseStrategy(block, counter, lower)?.leads).toBe(true);
      expect(chooseStrategy(counter, block, lower)?.leads).toBe(false);
      expect(chooseStrategy(kept, counter, lower)?.leads).toBe(true);
      expect(chooseStrategy(counter, kept, lower)?.leads).toBe(false);
    }
  });

  it('has one leader between equals: the narrower filter, then the lower key', () => {
    expect(chooseStrategy(open(counter), counter, true)?.leads).toBe(false);
    expect(chooseStrategy(counter, open(counter), false)?.leads).toBe(true);
    expect(chooseStrategy(counter, counter, true)?.leads).toBe(true);
    expect(chooseStrategy(counter, counter, false)?.leads).toBe(false);
  });
});

describe('a plan', () => {
  it('never passes the limits of the wire', () => {
    for (const own of [random, block, counter]) {
      for (const strategy of ['birthday', 'bracket', 'crossing', 'ambush'] as const) {
        const plan = makePlan(strategy, own, plenty, 'ab');
        if (typeof plan === 'string') throw new Error(plan);
        expect(plan.sockets).toBeLessThanOrEqual(PUNCH_LIMITS.sockets);
        expect(plan.probes).toBeLessThanOrEqual(PUNCH_LIMITS.probes);
        expect(plan.ranges.length).toBeGreaterThan(0);
      }
    }
  });

  it('takes 256 sockets over all ports and 50 in a block, whose probes are few', () => {
    expect(makePlan('birthday', random, plenty, 'ab')).toMatchObject({ sockets: 256 });
    const inBlock = makePlan('birthday', block, plenty, 'ab');
    expect(inBlock).toMatchObject({ sockets: 50 });
    expect(typeof inBlock === 'object' && inBlock.probes).toBeLessThan(200);
  });

  it('is cut to what the budget leaves, and waits where that is too little', () => {
    expect(makePlan('birthday', random, { ...plenty, mappings: 40 }, 'ab')).toMatchObject({ sockets: 40 });
    expect(makePlan('birthday', random, { ...plenty, mappings: 10 }, 'ab')).toBe('budget');
    expect(makePlan('crossing', counter, { ...plenty, mappings: 20 }, 'ab')).toBe('budget');
  });

  it('spares mappings where several members share them, and never where a late one meets nothing', () => {
    expect(allot('birthday', random, 276, 1, fresh)).toEqual({
      mappings: 276,
      sparing: false,
    });
    expect(allot('birthday', random, 276, 2, fresh)).toEqual({
      mappings: 138,
      sparing: false,
    });
    expect(allot('birthday', random, 276, 7, fresh)).toEqual({ mappings: 104, sparing: true });
    expect(allot('birthday', random, 90, 1, fresh)).toEqual({ mappings: 90, sparing: true });
    expect(allot('birthday', random, 276, 7, { ...fresh, answers: false })).toEqual({
      mappings: 39,
      sparing: false,
    });
    expect(allot('birthday', block, 276, 5, fresh)).toEqual({ mappings: 55, sparing: false });
    expect(allot('birthday', block, 276, 7, fresh)).toEqual({ mappings: 104, sparing: true });
    expect(allot('ambush', block, 276, 7, fresh).sparing).toBe(false);
    expect(allot('birthday', random, 276, 1, { ...fresh, standing: 1_900 })).toEqual({ mappings: 104, sparing: true });
  });

  it('that spares waits for a good chance, because it takes all that the other may send', () => {
    const sparing = { ...plenty, sparing: true };
    expect(makePlan('birthday', random, { ...sparing, mappings: 20 }, 'ab')).toBe('budget');
    expect(makePlan('birthday', random, { ...sparing, mappings: 30 }, 'ab')).toMatchObject({ sockets: 30 });
    expect(makePlan('birthday', block, { ...sparing, mappings: 10 }, 'ab')).toMatchObject({ sockets: 10 });
  });

  it('lies in wait with at most half of a block, those mappings counted that stand already', () => {
    const small = hard({ kind: 'block', low: 20_480, high: 20_735 });
    expect(makePlan('ambush', block, plenty, 'ab')).toMatchObject({ sockets: 256 });
    expect(makePlan('ambush', small, plenty, 'ab')).toMatchObject({ sockets: 128 });
    expect(makePlan('ambush', small, { ...plenty, used: 28 }, 'ab')).toMatchObject({ sockets: 100 });
    expect(makePlan('ambush', small, { ...plenty, used: 110 }, 'ab')).toBe('budget');
    expect(makePlan('ambush', block, { ...plenty, mappings: 90 }, 'ab')).toBe('budget');
  });

  it('with punching switched off is a bracket or nothing', () => {
    const off = { ...plenty, hardNat: false };
    expect(makePlan('birthday', random, off, 'ab')).toBe('off');
    expect(makePlan('crossing', counter, off, 'ab')).toBe('off');
    expect(makePlan('bracket', counter, off, 'ab')).toMatchObject({ strategy: 'bracket' });
  });
});
