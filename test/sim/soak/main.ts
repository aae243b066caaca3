/**
 * The long random run: rooms, NATs, churn, losses, outages and restarts by seed, until so many simulated seconds have passed.
 * A seed whose invariants do not hold is printed and makes the exit code 1; `--seed` runs it again, exactly. With `--keep` a
 * run that was ended is taken up where it was.
 *
 * npm run soak:sim -- [--seconds 1000000] [--from SEED] [--workers N] [--keep FILE]
 * npm run soak:sim -- --seed N
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { inWorkers } from '../bench/pool.ts';
import { type SoakResult, soak } from './run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1000000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    keep: { type: 'string' },
  },
});

class Report {
  readonly failed: number[] = [];
  seconds = 0;
  worlds = 0;
  last = 0;
  readonly #pairs = new Map<string, { direct: number; all: number }>();

  add({ seed, simulatedMs, error, pairs }: SoakResult): void {
    this.seconds += simulatedMs / 1_000;
    this.worlds++;
    this.last = Math.max(this.last, seed);
    for (const [kind, { direct, all }] of Object.entries(pairs)) {
      const sum = this.#pairs.get(kind) ?? { direct: 0, all: 0 };
      this.#pairs.set(kind, { direct: sum.direct + direct, all: sum.all + all });
    }
    if (error === null) return;
    this.failed.push(seed);
    console.log(`--seed ${seed}: ${error}\n`);
  }

  toString(): string {
    const shares = [...this.#pairs].map(([kind, { direct, all }]) => `${kind} ${direct}/${all}`);
    const failures = this.failed.length === 0 ? 'every invariant held' : `failed: ${this.failed.join(', ')}`;
    return [
      `${this.seconds.toFixed(0)} simulated seconds in ${this.worlds} worlds, seeds to ${this.last}: ${failures}`,
      `direct at the end of a calm: ${shares.join(', ')}`,
    ].join('\n');
  }
}

const report = new Report();

function* seeds(): Generator<number> {
  for (let seed = Number(values.from); report.seconds < Number(values.seconds); seed++) yield seed;
}

// Ended early, it says how far it came.
process.once('SIGTERM', () => {
  console.log(report.toString());
  process.exit(report.failed.length > 0 ? 1 : 143);
});

if (values.seed !== undefined) report.add(await soak(Number(values.seed)));
else {
  const worker = new URL('./worker.js', import.meta.url);
  await inWorkers(worker, seeds(), (_, result) => report.add(result as SoakResult), {
    workers: Number(values.workers),
    keep: values.keep,
  });
}
console.log(report.toString());
process.exitCode = report.failed.length > 0 ? 1 : 0;
