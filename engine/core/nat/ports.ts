/**
 * How a NAT draws the external port of its next mapping (3-traversal, "Port model"), inferred from a few fresh mappings.
 * A drawn port is a mixture of ranges: the samples leave open which block the carrier gave, and the probes go to each
 * hypothesis in proportion to what speaks for it.
 */
import type { NatReport, PortRange } from '../../../protocol/nat.ts';

/** Local and external port of one mapping, in the order in which they were made. */
export interface PortSample {
  local: number;
  external: number;
}

export type PortModel = NatReport['ports'];

/** What NATs draw from when nothing else is known: everything but the system ports. */
export const FULL_RANGE = { low: 1_024, high: 65_535 } as const;
/** Fresh mappings before anything but preservation is said. */
export const MIN_MAPPINGS = 6;
/** Foreign connections take ports in between: a counter shows steps of one sign below this. */
const MAX_SEQUENTIAL_STEP = 64;
/** Share of steps that may be anything: three of the seven between eight mappings. */
const ODD_STEPS = 0.43;
/** Carriers give blocks of 64 to 4,096 ports (RFC 6888, RFC 7422), aligned to their size. */
const SMALLEST_BLOCK = 64;
const LARGEST_BLOCK = 4_096;
/** Hypotheses below this share are not worth a probe. */
const MIN_WEIGHT = 1e-3;
/** Blocks are aligned far more often than not. */
const UNALIGNED_PRIOR = 0.3;

const UNKNOWN: PortModel = { kind: 'unknown', step: null, low: null, high: null };

/**
 * `fresh` are mappings made back to back from new sockets, whose order shows a counter; `others` are older ones, which
 * only tell where ports lie.
 */
export function inferPorts(fresh: readonly PortSample[], others: readonly PortSample[] = []): PortModel {
  const all = [...others, ...fresh];
  const judged = fresh.length > 1 ? fresh : all;
  const sockets = new Set(judged.map((sample) => sample.local));
  const changed = judged.filter((sample) => sample.local !== sample.external).length;
  // One preserved port may be chance or a static mapping; two sockets are a rule, and of many one may meet another's port.
  if (sockets.size >= 2 && changed <= (sockets.size >= MIN_MAPPINGS ? 1 : 0)) {
    return { ...UNKNOWN, kind: 'preserved' };
  }
  const externals = [...new Set(all.map((sample) => sample.external))];
  if (externals.length < MIN_MAPPINGS) return UNKNOWN;
  const low = Math.min(...externals);
  const high = Math.max(...externals);
  const step = stepOf(fresh.length >= MIN_MAPPINGS ? fresh.map((sample) => sample.external) : externals);
  const ranges = hypotheses(externals);
  if (step !== null) return { kind: 'sequential', step, low, high, ranges };
  const best = ranges[0] ?? { ...FULL_RANGE, weight: 1 };
  const kind = best.high - best.low < 2 * LARGEST_BLOCK ? 'block' : 'random';
  return { kind, step: null, low: best.low, high: best.high, ranges };
}

/**
 * The signed step of a counter, or null. Some steps may be odd: the counter wrapped, or a request was lost on its way to the
 * NAT and repeated, which is two of them. In a block of 512 random ports this errs once in a few hundred times. What the others
 * have in common is the counter's own step: on a busy one even the smallest of them may have passed somebody else's port.
 */
function stepOf(ports: readonly number[]): number | null {
  const steps = ports.slice(1).map((port, i) => port - (ports[i] ?? port));
  for (const sign of [1, -1]) {
    const counted = steps.filter((step) => step * sign > 0 && step * sign <= MAX_SEQUENTIAL_STEP);
    if (counted.length >= steps.length - Math.floor(steps.length * ODD_STEPS))
      return sign * counted.map(Math.abs).reduce(commonDivisor);
  }
  return null;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/**
 * Ranges that hold every sample, likeliest first. The likelihood of one that draws uniformly is size^-n, and an aligned one is
 * at its place with a probability in proportion to its size. An unaligned one may begin and end anywhere beyond the samples:
 * over all of these, with sizes as likely as their logarithm is long, that comes to span^(1 - n) / (n * (n - 1)).
 */
function hypotheses(ports: readonly number[]): PortRange[] {
  const low = Math.min(...ports);
  const high = Math.max(...ports);
  const floor = Math.min(FULL_RANGE.low, low);
  const found: (PortRange & { log: number })[] = [];
  const n = ports.length;
  const consider = (from: number, to: number, likelihood: (size: number) => number) => {
    const range = { low: Math.max(from, floor), high: Math.min(to, FULL_RANGE.high) };
    const repeated = found.some((other) => other.low === range.low && other.high === range.high);
    if (!repeated) found.push({ ...range, weight: 0, log: likelihood(sizeOf(range)) });
  };
  for (let size = SMALLEST_BLOCK; size <= 65_536; size *= 2) {
    const start = Math.floor(low / size) * size;
    if (start + size > high) consider(start, start + size - 1, (wide) => (1 - n) * Math.log(wide));
  }
  // The extremes of n uniform draws lie one n-th of the span inside the true range.
  const margin = Math.ceil((high - low) / Math.max(1, n - 1));
  const anywhere = Math.log(UNALIGNED_PRIOR / (n * Math.max(1, n - 1))) + (1 - n) * Math.log(high - low);
  if (high - low >= SMALLEST_BLOCK) consider(low - margin, high + margin, () => anywhere);
  const best = Math.max(...found.map((range) => range.log));
  const sum = found.reduce((total, range) => total + Math.exp(range.log - best), 0);
  return found
    .map((range) => ({ low: range.low, high: range.high, weight: Math.exp(range.log - best) / sum }))
    .filter((range) => range.weight >= MIN_WEIGHT)
    .toSorted((a, b) => b.weight - a.weight);
}

/** Where the next port may be; a model that says nothing means anywhere. */
export function rangesOf(model: PortModel): PortRange[] {
  if (model.ranges?.length) return model.ranges;
  const { low, high } = model;
  if ((model.kind === 'block' || model.kind === 'random') && low != null && high != null && low <= high) {
    return [{ low, high, weight: 1 }];
  }
  return [{ ...FULL_RANGE, weight: 1 }];
}

/** The probability that the next mapping gets `port`. */
export function probabilityOf(ranges: readonly PortRange[], port: number): number {
  const total = ranges.reduce((sum, range) => sum + range.weight, 0);
  const inside = ranges.filter((range) => range.low <= port && port <= range.high);
  return inside.reduce((sum, range) => sum + range.weight / sizeOf(range), 0) / total;
}

export function sizeOf(range: { low: number; high: number }): number {
  return range.high - range.low + 1;
}
