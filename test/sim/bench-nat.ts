/**
 * Direct rate, time to a direct path, probes and mappings for each kind of pair, in virtual time, as a table of Markdown:
 * the goals of issue "through almost any NAT". Time runs from the second member's join with a typed password.
 *
 * npm run bench:nat [SEEDS]
 */
import { pathToFileURL } from 'node:url';
import { connectOnce, type ConnectRow, type ConnectSample, summarise } from './bench-connect.ts';
import type { Profile } from './profiles.ts';

const PAIRS: [Profile, Profile][] = [
  ['port-restricted', 'port-restricted'],
  ['cgnat', 'port-restricted'],
  ['full-cone', 'symmetric-random'],
  ['port-restricted', 'symmetric-random'],
  ['netfilter', 'symmetric-random'],
  ['port-restricted', 'symmetric-open'],
  ['port-restricted', 'symmetric-block'],
  ['port-restricted', 'symmetric-sequential'],
  ['port-restricted', 'symmetric-down'],
  ['symmetric-sequential', 'symmetric-sequential'],
  ['symmetric-sequential', 'symmetric-down'],
];

/** One-sided 95 % of a normal distribution. */
const Z = 1.645;

/** Lower 95 % bound of a share (Wilson's score interval). */
export function lowerBound(successes: number, runs: number): number {
  const share = successes / runs;
  const spread = Z * Math.sqrt((share * (1 - share) + (Z * Z) / (4 * runs)) / runs);
  return (share + (Z * Z) / (2 * runs) - spread) / (1 + (Z * Z) / runs);
}

function line(row: ConnectRow): string {
  const direct = Math.round((row.directPct / 100) * row.seeds);
  const bound = (100 * lowerBound(direct, row.seeds)).toFixed(1);
  const two = (value: { p50: number; p95: number } | null) =>
    value === null ? '-' : `${value.p50.toFixed(0)} / ${value.p95.toFixed(0)}`;
  const cells = [
    row.pair,
    `${direct}/${row.seeds} (${bound} %)`,
    two(row.directMs),
    two(row.probes),
    two(row.mappings),
  ];
  return `| ${cells.join(' | ')} |`;
}

async function main(seeds: number): Promise<void> {
  console.log(
    '| pair | direct (lower 95 % bound) | ms to direct, p50 / p95 | probes of one side | mappings of one side |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  for (const pair of PAIRS) {
    const samples: ConnectSample[] = [];
    for (let seed = 1; seed <= seeds; seed++) samples.push(await connectOnce(pair, seed));
    console.log(line(summarise(pair.join(' x '), samples)));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(Number(process.argv[2] ?? 1_000));
}
