/** The product's numbers for connecting, by kind of pair (times from the join to a direct path). */
import { PROFILES, type Profile } from '../profiles.ts';
import { type Prospect, prospect } from '../theory.ts';

export interface Goal {
  p50Ms: number;
  p95Ms?: number;
  /** At 95 of 100 runs. */
  probes?: number;
  mappings?: number;
  /** Share of runs that become direct, in percent: at the lower 95 % bound where it is below 100. */
  directPct: number;
}

const ENDPOINT_INDEPENDENT: Goal = { p50Ms: 400, p95Ms: 1_500, directPct: 100 };
const RANDOM: Goal = { p50Ms: 1_800, p95Ms: 5_000, probes: 2_000, mappings: 300, directPct: 99 };
const BLOCK: Goal = { p50Ms: 800, probes: 100, mappings: 64, directPct: 99 };
const COUNTER: Goal = { p50Ms: 800, p95Ms: 2_000, probes: 60, directPct: 99 };
const COUNTERS: Goal = { p50Ms: 1_200, p95Ms: 3_000, probes: 300, mappings: 200, directPct: 99 };

type Kind = 'lenient' | 'strict' | 'counter' | 'block' | 'random' | 'blocked';

/** How a fresh mapping of this access looks to a peer. */
function kindOf(profile: Profile): Kind {
  switch (profile) {
    case 'udp-blocked':
      return 'blocked';
    case 'symmetric-sequential':
    case 'symmetric-down':
      return 'counter';
    case 'symmetric-block':
      return 'block';
    case 'symmetric-random':
    case 'symmetric-open':
    case 'symmetric-open-flows':
    case 'symmetric-restricted':
    case 'symmetric-restricted-flows':
      return 'random';
    default:
      return LENIENT.has(profile) ? 'lenient' : 'strict';
  }
}

/** Known port, and a filter that does not look at ports. */
const LENIENT: ReadonlySet<string> = new Set(['public', 'full-cone', 'address-restricted']);

const HARD_GOALS: Partial<Record<Kind, Goal>> = { counter: COUNTER, block: BLOCK, random: RANDOM };

/** Null where the product names no number: `theoryOf` says what to expect. */
export function goalOf([a, b]: readonly [Profile, Profile]): Goal | null {
  const kinds = [kindOf(a), kindOf(b)];
  if (kinds.includes('blocked')) return null;
  const hard = kinds.filter((kind) => kind in HARD_GOALS);
  const [only] = hard;
  // A lenient filter lets the hard side's first packet in: nothing has to be guessed.
  if (only === undefined || (hard.length === 1 && kinds.includes('lenient'))) return ENDPOINT_INDEPENDENT;
  if (hard.length === 1) return HARD_GOALS[only] ?? null;
  return hard.every((kind) => kind === 'counter') ? COUNTERS : null;
}

const EXPECTED: Record<Prospect, string> = {
  open: 'nothing to guess',
  measured: 'ports can be measured',
  guessed: 'ports are guessed',
  chance: 'one attempt in two minutes, a chance',
  hopeless: 'the relay',
  blocked: 'the relay',
};

/** What the theory says of a pair, in words. */
export function theoryOf([a, b]: readonly [Profile, Profile]): string {
  return EXPECTED[prospect(PROFILES[a], PROFILES[b])];
}

export function isProfile(name: string): name is Profile {
  return name in PROFILES;
}
