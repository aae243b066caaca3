/**
 * Idle round trips of the tunnels, in many short turns: what disturbs a turn disturbs its neighbours too, so that the ratios of one
 * turn after another say more than those of long rows.
 */
import { Lab, type Namespace } from '../lab/netns.ts';
import { digits, median, medianRatio, quantile, table } from './figures.ts';
import { type Contestant, startContestants } from './tunnel-ends.ts';

const PINGS = 60;

/** Microseconds of each ping, by turn. */
export type Turns = number[][];

/** `count` pings, 5 ms apart: microseconds. */
export async function ping(lab: Lab, near: Namespace, target: string, count: number): Promise<number[]> {
  const { stdout } = await lab.run(near, ['ping', '-i', '0.005', '-c', String(count), target]);
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1_000);
}

/** One turn of all. */
export async function takeTurn(
  lab: Lab,
  near: Namespace,
  contestants: readonly Contestant[],
  turns: Map<string, Turns>,
): Promise<void> {
  for (const { name, target } of contestants) {
    const row = turns.get(name) ?? [];
    row.push(await ping(lab, near, target, PINGS));
    turns.set(name, row);
  }
}

/** `npm run bench rtt TURNS`. */
export async function benchRoundTrips(turns: number): Promise<string> {
  const lab = Lab.open();
  try {
    const [near, far] = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    const contestants = await startContestants(lab, near, far);
    const taken = new Map<string, Turns>();
    for (let turn = 0; turn < turns; turn++) await takeTurn(lab, near, contestants, taken);
    return report(taken);
  } finally {
    await lab.close();
  }
}

function report(taken: ReadonlyMap<string, Turns>): string {
  const of = (name: string) => (taken.get(name) ?? []).map(median);
  return table([
    ['', 'p50, us', 'p95, us', 'to wireguard-go', 'to the pipe'],
    ...[...taken].map(([name, turns]) => [
      name,
      digits(median(turns.flat())),
      digits(quantile(turns.flat(), 0.95)),
      digits(medianRatio(turns.map(median), of('wireguard-go'))),
      digits(medianRatio(turns.map(median), of('static-key pipe'))),
    ]),
  ]);
}
