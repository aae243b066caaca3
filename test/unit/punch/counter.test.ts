import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { after, between } from '../../../engine/core/punch/counter.ts';

const anyPort = fc.integer({ min: 1_024, max: 65_535 });
const anyStep = fc.integer({ min: -8, max: 8 }).filter((step) => step !== 0);

describe('a port counter', () => {
  it('wraps within the ports that NATs give, in both directions', () => {
    expect(after(65_535, 1, 1)).toBe(1_024);
    expect(after(1_024, -1, 1)).toBe(65_535);
    expect(after(5_000, 4, 10)).toBe(5_040);
  });

  it('shows what it gave between two mappings', () => {
    expect(between(100 + 5_000, 104 + 5_000, 1, 16)).toEqual([5_101, 5_102, 5_103]);
    expect(between(5_104, 5_100, -2, 16)).toEqual([5_102]);
    expect(between(65_534, 1_025, 1, 16)).toEqual([65_535, 1_024]);
    expect(between(5_100, 5_101, 1, 16)).toEqual([]);
  });

  it('never shows more than asked, and only ports on the way', () => {
    fc.assert(
      fc.property(anyPort, anyStep, fc.integer({ min: 1, max: 60 }), (first, step, count) => {
        const last = after(first, step, count);
        const all = between(first, last, step, 64);
        expect(all).toEqual(Array.from({ length: count - 1 }, (_, i) => after(first, step, i + 1)));
        expect(between(first, last, step, 5)).toEqual(all.slice(0, 5));
      }),
    );
  });

  it('ends at once where the last mapping lies the other way', () => {
    expect(between(5_100, 5_000, 1, 16)).toEqual([]);
  });
});
