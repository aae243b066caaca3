/** Which of the living paths carries traffic. Pure: facts in, decision out; every threshold is tested by itself. */
import type { PathKind } from '../../../protocol/app.ts';

export interface PathFacts {
  key: string;
  kind: PathKind;
  alive: boolean;
  /** Smoothed, null while unknown. */
  rttMs: number | null;
  /** Answered probes behind `rttMs`. */
  samples: number;
  /** A slow mean of one-way loss, 0 while nothing was lost. */
  lossPct: number;
  /** It was in use and left for being clearly worse: it comes back at stricter thresholds. */
  avoided: boolean;
  /** Orders paths of equal worth alike on both sides. */
  tieBreak: string;
}

export interface Choice {
  key: string;
  /** Keys of better kinds that were passed over for being clearly worse. */
  avoided: string[];
}

/** Better kinds first: LAN, IPv6, other direct paths, then relays by what they cost. */
const RANKS: Record<PathKind, number> = { lan: 0, ipv6: 1, direct: 2, 'peer-relay': 3, turn: 4, relay: 5 };

/** A path of a better kind is left when it loses this much more than the other (percentage points) ... */
export const WORSE_LOSS_PCT = 3;
/** ... or its RTT is this many times the other's, ... */
export const WORSE_RTT_RATIO = 1.6;
/** ... and it comes back only below these. */
export const RETURN_LOSS_PCT = 1;
export const RETURN_RTT_RATIO = 1.3;
/** Differences below this are noise of scheduling, not of paths. */
export const RTT_NOISE_MS = 10;
/** An RTT is compared only after this many answers. */
export const RTT_MIN_SAMPLES = 4;
/** Within one kind, the path in use is left only for one that is this much faster. */
export const SAME_KIND_RTT_RATIO = 0.8;
export const SAME_KIND_RTT_GAIN_MS = 5;

export function isDirect(kind: PathKind): boolean {
  return RANKS[kind] < RANKS['peer-relay'];
}

/**
 * Null when nothing is alive. `current` is the key in use. While `settling`, paths of one kind are ordered by RTT and
 * tie-break alone, so that both sides agree; later the one in use has the advantage. One that is left for being clearly worse
 * gives way to another of its kind before all of them do.
 */
export function choosePath(paths: readonly PathFacts[], current: string | null, settling: boolean): Choice | null {
  const kinds = byKind(paths.filter((path) => path.alive));
  const bests = kinds.map((same) => bestOf(same, current, settling));
  const avoided: string[] = [];
  for (const [rank, same] of kinds.entries()) {
    const lesser = bests.slice(rank + 1);
    for (let left = same, path = bests[rank]; path !== undefined; path = bestOf(left, current, settling)) {
      const { key } = path;
      if (!isWorse(path, lesser)) return { key, avoided };
      avoided.push(key);
      left = left.filter((other) => other.key !== key);
    }
  }
  return null;
}

function isWorse(path: PathFacts, lesser: readonly (PathFacts | undefined)[]): boolean {
  return lesser.some((other) => other !== undefined && clearlyWorse(path, other));
}

/** Paths of one kind together, better kinds first. */
function byKind(alive: readonly PathFacts[]): PathFacts[][] {
  const kinds = new Map<PathKind, PathFacts[]>();
  for (const path of alive) {
    const same = kinds.get(path.kind);
    if (same === undefined) kinds.set(path.kind, [path]);
    else same.push(path);
  }
  return [...kinds].sort(([a], [b]) => RANKS[a] - RANKS[b]).map(([, same]) => same);
}

/** Of one kind. */
function bestOf(same: PathFacts[], current: string | null, settling: boolean): PathFacts | undefined {
  if (same.length < 2) return same[0];
  const sorted = same.sort((a, b) => compareText(a.tieBreak, b.tieBreak));
  const inUse = settling ? undefined : sorted.find((path) => path.key === current);
  let best = inUse ?? sorted[0];
  for (const path of sorted) if (best !== undefined && notablyBetter(path, best)) best = path;
  return best;
}

/** Within one kind. */
function notablyBetter(path: PathFacts, than: PathFacts): boolean {
  if (than.lossPct - path.lossPct > WORSE_LOSS_PCT) return true;
  if (path.lossPct - than.lossPct > WORSE_LOSS_PCT) return false;
  if (path.rttMs === null || than.rttMs === null) return false;
  if (path.samples < RTT_MIN_SAMPLES || than.samples < RTT_MIN_SAMPLES) return false;
  return path.rttMs < than.rttMs * SAME_KIND_RTT_RATIO && path.rttMs < than.rttMs - SAME_KIND_RTT_GAIN_MS;
}

/** Whether `path`, of a better kind, should give way to `other`. */
export function clearlyWorse(path: PathFacts, other: PathFacts): boolean {
  if (path.lossPct - other.lossPct > (path.avoided ? RETURN_LOSS_PCT : WORSE_LOSS_PCT)) return true;
  if (path.rttMs === null || other.rttMs === null) return false;
  if (path.samples < RTT_MIN_SAMPLES || other.samples < RTT_MIN_SAMPLES) return false;
  const ratio = path.avoided ? RETURN_RTT_RATIO : WORSE_RTT_RATIO;
  return path.rttMs > other.rttMs * ratio && path.rttMs > other.rttMs + RTT_NOISE_MS;
}

/** By code units, alike on both sides. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
