import { describe, expect, it } from 'vitest';
import { profilePairs } from '../profiles.ts';
import { goalOf, theoryOf } from './goals.ts';
import { lowerBound, type MeasuredRun, natTable } from './table.ts';

const pair = ['port-restricted', 'symmetric-block'] as const;

function rows(runs: MeasuredRun[]): string {
  return natTable([{ pair, samples: runs, goal: goalOf(pair), theory: theoryOf(pair) }]);
}

const run = (directMs: number | null, probes = 80): MeasuredRun => ({ directMs, probes, mappings: [2, 60] });

describe('the lower bound of a rate', () => {
  it.each([
    // Wilson's interval, one-sided at 95 %.
    [1_000, 1_000, 0.9973],
    [995, 1_000, 0.9901],
    [10, 10, 0.787],
    [0, 10, 0],
  ])('%i of %i: %f', (successes, runs, bound) => {
    expect(lowerBound(successes, runs)).toBeCloseTo(bound, 3);
  });
});

describe('the verdict beside a goal', () => {
  it('is met where all of it is', () => {
    expect(rows([run(700), run(750)])).toMatch(/\| met +\|$/);
  });

  it('names what was missed', () => {
    expect(rows([run(900, 101), run(null)])).toMatch(/missed: rate, p50, probes/);
  });
});

describe('goals', () => {
  it('ask for every pair that is not blocked, but for a drawn port against a hard one', () => {
    const promised = profilePairs().filter((names) => goalOf(names) !== null);
    expect(promised).toHaveLength(72);
    expect(goalOf(['symmetric-random', 'symmetric-sequential'])).toBeNull();
    expect(goalOf(['symmetric-down', 'symmetric-sequential'])?.mappings).toBe(200);
  });

  it.each([
    ['symmetric-random', 'symmetric-block', 'the relay'],
    ['symmetric-random', 'symmetric-sequential', 'the relay'],
    ['symmetric-block', 'symmetric-down', 'one attempt in two minutes, a chance'],
    ['symmetric-restricted-flows', 'symmetric-random', 'ports are guessed'],
    ['symmetric-open-flows', 'symmetric-random', 'nothing to guess'],
  ] as const)('leave to the theory: %s x %s, %s', (a, b, expected) => {
    expect(goalOf([a, b])).toBeNull();
    expect(theoryOf([a, b])).toBe(expected);
  });
});
