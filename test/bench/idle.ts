/** What a member of an idle room of eight costs: processor time and resident memory of `up`, once all paths are direct. */
import { readFile } from 'node:fs/promises';
import { setTimeout as elapse } from 'node:timers/promises';
import { type Member, RendezvousServer } from '../lab/cli.ts';
import { bothOver, joinAll } from '../lab/room.ts';
import { startTopology } from '../lab/topology.ts';
import { digits, quantile, table } from './figures.ts';

const NICKS = ['ann', 'bob', 'cleo', 'dan', 'eve', 'fay', 'gus', 'hana'];
/** By then the lifetime of every router's mappings is known and told: the ladder's last rung is two minutes. */
const LEARNT_MS = 150_000;
/** USER_HZ of every Linux that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

export async function benchIdle(seconds: number): Promise<string> {
  const topology = await startTopology({ sites: NICKS.map((name) => ({ name, nat: 'port-restricted' as const })) });
  try {
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const players = NICKS.map((nick) => ({ nick, namespace: topology.site(nick).hosts[0]!.namespace }));
    const room = { room: 'idle', password: 'warm-otter-beacon-42', servers: [server.url] };
    const members = [...(await joinAll(topology.lab, players, room)).values()];
    await allDirect(members);
    const learning = await shares(members, seconds);
    await elapse(LEARNT_MS);
    const steady = await shares(members, seconds);
    const memory = await Promise.all(members.map(residentMib));
    await Promise.all(members.map((member) => member.stop()));
    return table([
      ['idle in a room of 8', 'median', 'largest'],
      ['processor, % of a core', ...figures(steady)],
      ['the same in the first minute', ...figures(learning)],
      ['resident memory, MiB', ...figures(memory)],
    ]);
  } finally {
    await topology.close();
  }
}

/** Of a core over this time, in percent, of each. */
async function shares(members: readonly Member[], seconds: number): Promise<number[]> {
  const before = await Promise.all(members.map(cpuSeconds));
  await elapse(seconds * 1_000);
  const after = await Promise.all(members.map(cpuSeconds));
  return after.map((used, index) => (100 * (used - (before[index] ?? 0))) / seconds);
}

const figures = (values: number[]) => [digits(quantile(values, 0.5)), digits(quantile(values, 1))] as const;

async function allDirect(members: readonly Member[]): Promise<void> {
  const pairs = members.flatMap((a, index) => members.slice(index + 1).map((b) => [a, b] as const));
  await Promise.all(pairs.map(([a, b]) => bothOver(a, b, ['direct'], 90_000)));
}

/** User and system time of the process since its start, in seconds (proc(5), fields 14 and 15 of stat). */
async function cpuSeconds(member: Member): Promise<number> {
  const stat = await readFile(`/proc/${member.up.child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function residentMib(member: Member): Promise<number> {
  const status = await readFile(`/proc/${member.up.child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
}
