/**
 * Direct rate, time to a direct path, probes and mappings for every pair of accesses, in virtual time, as a table of Markdown
 * with the product's goals beside it; or the same from the lab. Time runs from the second member's join with a typed password.
 *
 * npm run bench:nat [SEEDS]                        every pair
 * npm run bench:nat -- SEEDS --pair X [--pair Y]   only these (X as `port-restricted x symmetric-random`)
 * npm run bench:nat -- SEEDS --keep FILE           results go to FILE as they come; SIGTERM shows the table so far, and the
 *                                                  same command goes on
 * npm run bench:nat -- --pair X --seed N           one run again, with its log
 * npm run bench:nat lab [RUNS]                     the real command behind the lab's NATs
 */
import { parseArgs } from 'node:util';
import { benchPunches } from '../../bench/punches.ts';
import { type Profile, profilePairs } from '../profiles.ts';
import { goalOf, isProfile, theoryOf } from './goals.ts';
import { inWorkers } from './pool.ts';
import { type ConnectSample, connectOnce } from './sample.ts';
import { natTable } from './table.ts';
import type { BenchJob } from './worker.ts';

const SEEDS = 1_000;
const LAB_RUNS = 20;
/** Seeds of one job: small enough that all workers end together. */
const SPAN = 20;

type Pair = [Profile, Profile];

function pairNamed(name: string): Pair {
  const [a = '', b = ''] = name.split(' x ');
  if (isProfile(a) && isProfile(b)) return [a, b];
  throw new Error(`no such pair: ${name}`);
}

function* jobsOf(pairs: readonly Pair[], seeds: number): Generator<BenchJob> {
  for (const pair of pairs) {
    for (let first = 1; first <= seeds; first += SPAN) yield { pair, first, last: Math.min(seeds, first + SPAN - 1) };
  }
}

async function measure(pairs: readonly Pair[], seeds: number): Promise<string> {
  const samples = new Map<string, ConnectSample[]>(pairs.map((pair) => [pair.join(' x '), []]));
  const worker = new URL('./worker.js', import.meta.url);
  const rowOf = (pair: Pair) => ({
    pair,
    samples: samples.get(pair.join(' x ')) ?? [],
    goal: goalOf(pair),
    theory: theoryOf(pair),
  });
  process.once('SIGTERM', () => {
    console.log(natTable(pairs.map(rowOf).filter((row) => row.samples.length > 0)));
    process.exit(143);
  });
  const add = ({ pair }: BenchJob, result: unknown) => {
    samples.get(pair.join(' x '))?.push(...(result as ConnectSample[]));
  };
  await inWorkers(worker, jobsOf(pairs, seeds), add, { keep: values.keep });
  return natTable(pairs.map(rowOf));
}

/** One run again: what both engines said, and the figures. */
async function replay(pair: Pair, seed: number): Promise<string> {
  const lines: string[] = [];
  const sample = await connectOnce(pair, seed, ({ members }) => {
    for (const member of members) lines.push(...member.log.map((line) => `${line} [${member.nick}]`));
  });
  return [...lines.toSorted((a, b) => Number.parseFloat(a) - Number.parseFloat(b)), JSON.stringify(sample)].join('\n');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pair: { type: 'string', multiple: true }, seed: { type: 'string' }, keep: { type: 'string' } },
});
const [first, second] = positionals;
const pairs = () => values.pair?.map(pairNamed) ?? profilePairs();
if (first === 'lab') console.log(await benchPunches(Number(second ?? LAB_RUNS), values.pair));
else if (values.seed === undefined) console.log(await measure(pairs(), Number(first ?? SEEDS)));
else for (const pair of pairs()) console.log(await replay(pair, Number(values.seed)));
