/**
 * Silence of a flowing tunnel while its direct path dies: five members behind NATs with a new port for every mapping,
 * ten paths at once, once by a flush of every router and once by blocks (both ways, only out, only in).
 */
import { setTimeout as elapse } from 'node:timers/promises';
import { type Member, RendezvousServer } from '../lab/cli.ts';
import { bothOver, joinAll, PingFlow } from '../lab/room.ts';
import type { NatConfig } from '../lab/router.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { digits, quantile, table } from './figures.ts';

const NAT: NatConfig = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'random' },
};
const FRIENDS = ['ann', 'bob', 'eve', 'fay', 'gus'];
const PAIRS = FRIENDS.flatMap((a, index) => FRIENDS.slice(index + 1).map((b) => [a, b] as const));
const DIRECTIONS = ['both', 'up', 'down'] as const;
const PING_MS = 50;
/** How long a path is watched after it was struck. */
const WATCHED_MS = 3_000;

export async function benchFailover(rounds: number): Promise<string> {
  const topology = await startTopology({ sites: FRIENDS.map((name) => ({ name, nat: NAT })) });
  try {
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const players = FRIENDS.map((nick) => ({ nick, namespace: topology.site(nick).hosts[0]!.namespace }));
    const room = { room: 'failover', password: 'warm-otter-beacon-42', servers: [server.url] };
    const members = await joinAll(topology.lab, players, room);
    const flushed: number[] = [];
    const blocked: number[] = [];
    for (let round = 0; round < rounds; round++) {
      flushed.push(...(await silences(topology, members, (friend) => topology.router.flush(friend, 'udp'))));
      blocked.push(...(await silences(topology, members, (friend, index) => block(topology, friend, index))));
      await Promise.all(FRIENDS.map((friend) => topology.router.unblock(friend)));
    }
    await Promise.all([...members.values()].map((member) => member.stop()));
    return report({ 'NAT flushed': flushed, 'path blocked': blocked });
  } finally {
    await topology.close();
  }
}

function block({ router, site }: Topology, friend: string, index: number): Promise<void> {
  const remote = FRIENDS.filter((other) => other !== friend).map((other) => site(other).external);
  return router.block(friend, { direction: DIRECTIONS[index % DIRECTIONS.length], remote, protocol: 'udp' });
}

/** Strikes every friend's router, and so all ten paths at once; resolves with the silence of each flow in ms. */
async function silences(
  topology: Topology,
  members: ReadonlyMap<string, Member>,
  strike: (friend: string, index: number) => Promise<void>,
): Promise<number[]> {
  const pairs = PAIRS.map(([a, b]) => [members.get(a), members.get(b)] as [Member, Member]);
  await Promise.all(pairs.map(([a, b]) => bothOver(a, b, ['direct'], 90_000)));
  const flows = pairs.map(([a, b]) => new PingFlow(topology.lab, a, b, PING_MS));
  await Promise.all(flows.map((flow) => flow.hasReplies(10)));
  const from = Date.now();
  await Promise.all(FRIENDS.map(strike));
  await elapse(WATCHED_MS);
  const gaps = flows.map((flow) => flow.longestGapMs(from, Date.now()));
  await Promise.all(flows.map((flow) => flow.stop()));
  return gaps;
}

function report(columns: Readonly<Record<string, readonly number[]>>): string {
  const rows = Object.entries(columns).map(([name, gaps]) => [
    name,
    String(gaps.length),
    ...[0.5, 0.95, 1].map((p) => digits(quantile(gaps, p))),
  ]);
  return table([['what happened', 'paths', 'silence p50, ms', 'p95, ms', 'longest, ms'], ...rows]);
}
