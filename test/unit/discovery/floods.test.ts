import { expect, it } from 'vitest';
import { Floods } from '../../../engine/discovery/floods.ts';

/** A clock by hand, and who was told of. */
function bench() {
  const told: string[] = [];
  let now = 0;
  const clock = { now: () => now, epoch: () => now, at: () => () => {} };
  const floods = new Floods<string>(clock, (member) => told.push(member));
  const samples = (counts: readonly number[], everyMs: number) => {
    for (const count of counts) {
      floods.sample('cleo', count);
      now += everyMs;
    }
  };
  return { told, samples };
}

const rising = (from: number, step: number, times: number) => Array.from({ length: times }, (_, i) => from + i * step);

it('names a member that says 200 a second to everybody, once for as long as it goes on', () => {
  const { told, samples } = bench();
  samples(rising(0, 50, 400), 250);
  expect(told).toEqual(['cleo']);
});

it('names a burst of 400, wherever it begins', () => {
  for (let quiet = 0; quiet < 10; quiet++) {
    const { told, samples } = bench();
    samples([0, ...rising(0, 0, quiet), 200, 400, 400], 250);
    expect(told).toEqual(['cleo']);
  }
});

it('does not name one whose games search many ports, again and again', () => {
  const { told, samples } = bench();
  samples(rising(0, 15, 400), 250);
  expect(told).toEqual([]);
});

it('does not count what came before it was watched', () => {
  const { told, samples } = bench();
  samples([100_000, 100_010], 250);
  expect(told).toEqual([]);
});

it('names it again when it begins anew much later', () => {
  const { told, samples } = bench();
  samples(rising(0, 50, 20), 250);
  samples([1_000, 1_000, 1_000], 5 * 60_000);
  samples(rising(1_000, 50, 20), 250);
  expect(told).toEqual(['cleo', 'cleo']);
});
