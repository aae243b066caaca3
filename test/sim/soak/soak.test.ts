/** A short slice of `npm run soak:sim`. */
import { expect, test } from 'vitest';
import { seeds } from '../scenario.ts';
import { soak } from './run.ts';

test.each(seeds(6))(
  'the long random run, seed %s',
  async (seed) => {
    const { error, simulatedMs } = await soak(Number(seed), 300_000);
    expect(error).toBeNull();
    expect(simulatedMs).toBeGreaterThanOrEqual(300_000);
  },
  120_000,
);
