/** The table of `npm run bench:nat`: a row a pair, its goal beside it, and whether it was reached. */
import { quantile, table } from '../../bench/figures.ts';
import type { Goal } from './goals.ts';

/** One-sided 95 % of a normal distribution. */
const Z = 1.645;

/** Lower 95 % bound of a share (Wilson's score interval). */
export function lowerBound(successes: number, runs: number): number {
  const share = successes / runs;
  const deviation = Z * Math.sqrt((share * (1 - share) + (Z * Z) / (4 * runs)) / runs);
  return (share + (Z * Z) / (2 * runs) - deviation) / (1 + (Z * Z) / runs);
}

export interface MeasuredRun {
  directMs: number | null;
  /** Of the side that sent more. */
  probes: number;
  /** At each side's router; null where it cannot be counted. */
  mappings: readonly [number | null, number | null];
}

export interface MeasuredPair {
  pair: readonly [string, string];
  samples: readonly MeasuredRun[];
  goal: Goal | null;
  /** What to expect where there is no goal. */
  theory: string;
}

const HEAD = [
  'pair',
  'direct (lower 95 % bound)',
  'ms, p50 / p95',
  'probes',
  'mappings, each side',
  'goal, or what to expect',
  '',
];

export function natTable(rows: readonly MeasuredPair[]): string {
  return table([HEAD, ...rows.map(cells)]);
}

function cells({ pair, samples, goal, theory }: MeasuredPair): string[] {
  const direct = samples.flatMap(({ directMs }) => (directMs === null ? [] : [directMs]));
  const bound = (100 * lowerBound(direct.length, samples.length)).toFixed(1);
  const probes = samples.map((sample) => sample.probes);
  const mappings = [0, 1].map((side) => samples.flatMap((sample) => sample.mappings[side] ?? []));
  return [
    pair.join(' x '),
    `${direct.length}/${samples.length} (${bound} %)`,
    spread(direct),
    spread(probes),
    mappings.map(spread).join(', '),
    goal === null ? theory : words(goal),
    goal === null ? '' : verdict(goal, direct, samples.length, probes, mappings),
  ];
}

function spread(values: readonly number[]): string {
  return values.length === 0 ? '-' : `${quantile(values, 0.5).toFixed(0)} / ${quantile(values, 0.95).toFixed(0)}`;
}

function words(goal: Goal): string {
  const parts = [
    `${goal.directPct} %`,
    goal.p95Ms === undefined ? `${goal.p50Ms} ms` : `${goal.p50Ms} / ${goal.p95Ms} ms`,
  ];
  if (goal.probes !== undefined) parts.push(`${goal.probes} probes`);
  if (goal.mappings !== undefined) parts.push(`${goal.mappings} mappings`);
  return parts.join(', ');
}

/** What was missed, by name. */
function verdict(
  goal: Goal,
  direct: readonly number[],
  runs: number,
  probes: readonly number[],
  mappings: readonly (readonly number[])[],
): string {
  const worst = Math.max(...mappings.map((side) => quantile(side, 0.95)).filter(Number.isFinite));
  const missed = [
    !enough(goal.directPct, direct.length, runs) && 'rate',
    quantile(direct, 0.5) > goal.p50Ms && 'p50',
    goal.p95Ms !== undefined && quantile(direct, 0.95) > goal.p95Ms && 'p95',
    goal.probes !== undefined && quantile(probes, 0.95) > goal.probes && 'probes',
    goal.mappings !== undefined && worst > goal.mappings && 'mappings',
  ].filter((name) => name !== false);
  return missed.length === 0 ? 'met' : `missed: ${missed.join(', ')}`;
}

/** All of them; or at the lower bound, as far as so few runs can show it. */
function enough(pct: number, direct: number, runs: number): boolean {
  if (direct === runs) return true;
  return pct < 100 && 100 * lowerBound(direct, runs) >= pct;
}
