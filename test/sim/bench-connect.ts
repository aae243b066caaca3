/**
 * Time from a member's join to its first packet through the tunnel and to a direct path, and the probes that it cost, for
 * each pair of NATs over many seeds, in virtual time. One-way delays as in the goals: server 5 ms, clients 10 ms.
 *
 * node build/test/sim/bench-connect.js [SEEDS]
 */
import { pathToFileURL } from 'node:url';
import type { Member } from './member.ts';
import { PROFILES, profilePairs, site } from './profiles.ts';
import { createWorld } from './world.ts';

const LIMIT_MS = 15_000;
const SETTLED_MS = 3_000;

export interface ConnectSample {
  /** Milliseconds after the second member's start; null when it did not happen. */
  firstPacketMs: number | null;
  directMs: number | null;
  /** Pings of the side that sent more, until direct or until the limit. */
  probes: number;
  /** Mappings in the first router of the side that made more. */
  mappings: number;
}

export interface ConnectRow {
  pair: string;
  seeds: number;
  directPct: number;
  firstPacketMs: { p50: number; p95: number };
  directMs: { p50: number; p95: number } | null;
  probes: { p50: number; p95: number };
  mappings: { p50: number; p95: number };
}

/** One run: the first member waits in the room, the second joins with a typed password. */
export async function connectOnce(
  pair: [keyof typeof PROFILES, keyof typeof PROFILES],
  seed: number,
): Promise<ConnectSample> {
  const link = { delayMs: 10, jitterMs: 2 };
  const world = createWorld({ seed: `bench ${seed}`, sites: pair.map((profile) => site(profile, { link })) });
  const [host, guest] = world.members as [Member, Member];
  try {
    host.start();
    await world.runFor(SETTLED_MS + world.random.float() * 1_000);
    const begin = world.timeline.now();
    guest.start();
    const flow = world.flow(guest, host, 10);
    const arrived = () => world.deliveries.all.some(({ arrivedAt }) => arrivedAt !== null);
    await world.timeline.until(arrived, LIMIT_MS, 1);
    flow.stop();
    const [first] = world.deliveries.all.filter(({ arrivedAt }) => arrivedAt !== null);
    const direct = () => [host, guest].every((member) => member.pathChanges.at(-1)?.path?.kind === 'udp');
    const isDirect = await world.timeline.until(direct, LIMIT_MS);
    const moved = [host, guest].map((member) => member.pathChanges.find(({ path }) => path?.kind === 'udp')?.at ?? 0);
    return {
      firstPacketMs: first?.arrivedAt ? first.arrivedAt - begin : null,
      directMs: isDirect ? Math.max(...moved) - begin : null,
      probes: Math.max(host.probes.length, guest.probes.length),
      mappings: Math.max(...world.sites.map(({ nats }) => nats[0]?.bindings.created.length ?? 0)),
    };
  } finally {
    world.close();
  }
}

export function summarise(pair: string, samples: ConnectSample[]): ConnectRow {
  const first = numbers(samples.map((sample) => sample.firstPacketMs));
  const direct = numbers(samples.map((sample) => sample.directMs));
  return {
    pair,
    seeds: samples.length,
    directPct: (100 * direct.length) / samples.length,
    firstPacketMs: quantiles(first),
    directMs: direct.length > 0 ? quantiles(direct) : null,
    probes: quantiles(samples.map((sample) => sample.probes)),
    mappings: quantiles(samples.map((sample) => sample.mappings)),
  };
}

function numbers(values: (number | null)[]): number[] {
  return values.filter((value): value is number => value !== null);
}

function quantiles(values: number[]): { p50: number; p95: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95) };
}

function line(row: ConnectRow): string {
  const figure = (value: number) => value.toFixed(0).padStart(7);
  const two = (value: { p50: number; p95: number } | null) =>
    value === null ? '      -       -' : `${figure(value.p50)} ${figure(value.p95)}`;
  const share = `${row.directPct.toFixed(0)} %`.padStart(6);
  return `${row.pair.padEnd(44)} ${share} ${two(row.firstPacketMs)} ${two(row.directMs)} ${two(row.probes)}`;
}

async function main(seeds: number): Promise<void> {
  console.log(`${''.padEnd(44)}           first packet      direct ms         probes`);
  console.log(`${'pair'.padEnd(44)} direct     p50     p95     p50     p95     p50     p95`);
  for (const [a, b] of profilePairs()) {
    const samples: ConnectSample[] = [];
    for (let seed = 1; seed <= seeds; seed++) samples.push(await connectOnce([a, b], seed));
    console.log(line(summarise(`${a} x ${b}`, samples)));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(Number(process.argv[2] ?? 30));
}
