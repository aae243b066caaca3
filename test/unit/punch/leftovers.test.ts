import { describe, expect, it } from 'vitest';
import { Leftovers } from '../../../engine/core/punch/leftovers.ts';

const REMOTE = { ip: '198.51.100.7', port: 7_000 };
const BEGAN_MS = 10_000;
const ENDED_MS = 25_000;

function failed(): Leftovers {
  const leftovers = new Leftovers();
  leftovers.failed(ENDED_MS, 'ann', { beganAt: BEGAN_MS, probes: 1_900, remote: REMOTE });
  return leftovers;
}

describe('what a failed attempt leaves', () => {
  it('are probes, until the first of them has ended, and sockets, until their mappings are not counted any more', () => {
    const leftovers = failed();
    expect(leftovers.standing(BEGAN_MS + 119_999, 'ann', REMOTE)).toBe(1_900);
    expect(leftovers.standing(BEGAN_MS + 120_000, 'ann', REMOTE)).toBe(0);
    expect(leftovers.hasSockets(ENDED_MS + 149_999, 'ann')).toBe(true);
    expect(leftovers.hasSockets(ENDED_MS + 150_000, 'ann')).toBe(false);
  });

  it('serves the same member at the same address only', () => {
    const leftovers = failed();
    expect(leftovers.standing(ENDED_MS, 'bob', REMOTE)).toBe(0);
    expect(leftovers.standing(ENDED_MS, 'ann', { ...REMOTE, port: 7_001 })).toBe(0);
    expect(leftovers.standing(ENDED_MS, 'ann', { ...REMOTE, ip: '198.51.100.8' })).toBe(0);
  });

  it('is nothing where enough new mappings have met none of the probes, or on another network', () => {
    const leftovers = failed();
    leftovers.disproved('ann');
    expect(leftovers.standing(ENDED_MS, 'ann', REMOTE)).toBe(0);
    expect(leftovers.hasSockets(ENDED_MS, 'ann')).toBe(true);
    leftovers.clear();
    expect(leftovers.hasSockets(ENDED_MS, 'ann')).toBe(false);
  });
});
