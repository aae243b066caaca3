/**
 * A scenario is run for several seeds; a failing one is named in the error, and replayed exactly by
 * `SIM_SEED=n npx vitest run FILE -t NAME`. `SIM_RUNS=n` runs n times as many seeds.
 */
import { test } from 'vitest';
import { createWorld, type World, type WorldOptions } from './world.ts';

type Spec = Omit<WorldOptions, 'seed'>;

/** Real time that one seed may take at worst, on a busy machine. */
const SEED_TIMEOUT_MS = 180_000;

export function seeds(count: number): string[] {
  const { SIM_SEED, SIM_RUNS } = process.env;
  if (SIM_SEED !== undefined) return [SIM_SEED];
  return Array.from({ length: count * Number(SIM_RUNS ?? 1) }, (_, i) => String(i + 1));
}

/** `spec` may depend on the world's luck through its own argument, a seed. */
export function scenario(
  name: string,
  count: number,
  spec: Spec | ((seed: string) => Spec),
  run: (world: World) => Promise<void>,
): void {
  const all = seeds(count);
  test(
    name,
    async () => {
      for (const seed of all) await simulate(name, seed, typeof spec === 'function' ? spec(seed) : spec, run);
    },
    SEED_TIMEOUT_MS * all.length,
  );
}

/** One world from beginning to end: the scenario, then what must hold always. */
export async function simulate(
  name: string,
  seed: string,
  spec: Spec,
  run: (world: World) => Promise<void>,
): Promise<void> {
  const world = createWorld({ ...spec, seed: `${name}/${seed}` });
  try {
    await run(world);
    await world.everyoneReachesEveryone();
    world.check();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`SIM_SEED=${seed}: ${message}`, { cause: error });
  } finally {
    world.close();
  }
}
