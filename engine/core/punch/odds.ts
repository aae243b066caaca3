/** The chances of a punch, exact where the sum is small enough to do. */
import type { PortRange } from '../../../protocol/nat.ts';
import { sizeOf } from '../nat/ports.ts';

/**
 * `sockets` mappings and `probes` different ports, both drawn without replacement from `ports`: the chance that at least
 * one port is in both, 1 - prod((N - a - i) / (N - i)).
 */
export function birthdayOdds(ports: number, sockets: number, probes: number): number {
  const most = Math.min(probes, ports);
  let miss = 1;
  for (let i = 0; i < most && miss > 0; i++) miss *= Math.max(0, ports - sockets - i) / (ports - i);
  return 1 - miss;
}

/** The same over a mixture of ranges; `probesIn` counts the probes that fell into a range. */
export function mixedOdds(
  ranges: readonly PortRange[],
  sockets: number,
  probesIn: (range: PortRange) => number,
): number {
  const total = ranges.reduce((sum, range) => sum + range.weight, 0);
  const odds = ranges.map((range) => range.weight * birthdayOdds(sizeOf(range), sockets, probesIn(range)));
  return odds.reduce((sum, share) => sum + share, 0) / total;
}

/** The chance that at least one of two independent things happened. */
export function either(a: number, b: number): number {
  return 1 - (1 - a) * (1 - b);
}

/** How many of `count` guesses fell into a range, where they were drawn by weight. */
export function shareOf(count: number, ranges: readonly PortRange[]): (range: PortRange) => number {
  const total = ranges.reduce((sum, range) => sum + range.weight, 0);
  return ({ weight }) => Math.round((count * weight) / total);
}

/** The fewest probes that reach `odds`, at most `limit`. */
export function probesFor(odds: number, ports: number, sockets: number, limit: number): number {
  let miss = 1;
  for (let i = 0; i < limit; i++) {
    miss *= Math.max(0, ports - sockets - i) / (ports - i);
    if (1 - miss >= odds) return i + 1;
  }
  return limit;
}
