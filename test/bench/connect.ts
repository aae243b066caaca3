/**
 * Time to the first packet through the tunnel and to a direct path, per pair of NATs, through the command line, with
 * one-way delays of 5 ms at the server and 10 ms at each client. One member stays; the other joins, is measured, and leaves.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '../../protocol/app.ts';
import { Member, RendezvousServer } from '../lab/cli.ts';
import type { NatKind } from '../lab/nats.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { digits, quantile, table } from './figures.ts';

const PAIRS: readonly (readonly [NatKind, NatKind])[] = [
  ['public', 'port-restricted'],
  ['full-cone', 'full-cone'],
  ['address-restricted', 'port-restricted'],
  ['port-restricted', 'port-restricted'],
  ['port-restricted', 'symmetric-random'],
  ['port-restricted', 'udp-blocked'],
];
const DELAYS = { serverMs: 5, clientMs: 10 };

interface Sample {
  /** Milliseconds from the start of the process to the engine's first snapshot. */
  startMs: number;
  /** From the start of the process to the first echo through the tunnel. */
  packetMs: number;
  /** From the start of the process to the first direct path, null where it stayed relayed. */
  directMs: number | null;
}

export async function benchConnect(runs: number): Promise<string> {
  const rows = [
    ['pair', 'engine up', 'first packet after join', 'from process start', 'direct after join', 'direct rate'],
  ];
  for (const pair of PAIRS) rows.push(await measurePair(pair, runs));
  return `${table(rows)}\n\nMilliseconds, p50 / p95 over ${runs} runs; saved room.`;
}

async function measurePair([near, far]: readonly [NatKind, NatKind], runs: number): Promise<string[]> {
  const topology = await startTopology({
    sites: [
      { name: 'stays', nat: near },
      { name: 'comes', nat: far },
    ],
    delays: DELAYS,
  });
  const stateDir = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  try {
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const room = { room: 'bench', password: 'warm-otter-beacon-42', servers: [server.url] };
    const stays = await start(topology, 'stays', { ...room, create: true });
    await stays.joined();
    const samples: Sample[] = [];
    // The first run is not counted: it makes the state directory, takes an address, and saves the room.
    for (let run = 0; run <= runs; run++) {
      const password = run === 0 ? room.password : null;
      const sample = await measureJoin(topology, stays, { ...room, password, stateDir });
      if (run > 0) samples.push(sample);
    }
    await stays.stop();
    return row(`${near} x ${far}`, samples);
  } finally {
    await topology.close();
    await rm(stateDir, { recursive: true, force: true });
  }
}

function start(
  topology: Topology,
  nick: string,
  options: { room: string; password: string | null; servers: string[]; create?: boolean; stateDir?: string },
): Promise<Member> {
  return Member.start(topology.lab, topology.site(nick).hosts[0]!.namespace, { nick, ...options });
}

async function measureJoin(
  topology: Topology,
  stays: Member,
  options: { room: string; password: string | null; servers: string[]; stateDir: string },
): Promise<Sample> {
  const address = stays.peer('comes')?.ipv4 ?? lastAddress.get(topology) ?? null;
  const ping = address === null ? null : echo(topology, stays, address);
  const startedAt = Date.now();
  const comes = await start(topology, 'comes', options);
  const engineAt = started(comes);
  const connected = await comes.waitFor('connected', (snapshot) => stateOf(snapshot)?.state === 'connected');
  lastAddress.set(topology, connected.self?.ipv4 ?? '');
  const packetAt = ping === null ? startedAt : await ping;
  const direct = await comes
    .waitFor('direct', (snapshot) => isDirect(snapshot), 4_000)
    .then((snapshot) => stateOf(snapshot)?.path?.since ?? Number.NaN)
    .catch(() => null);
  await comes.stop();
  return {
    startMs: (await engineAt) - startedAt,
    packetMs: packetAt - startedAt,
    directMs: direct === null ? null : direct - startedAt,
  };
}

const lastAddress = new WeakMap<Topology, string>();
const stateOf = (snapshot: Snapshot) => snapshot.peers.find((peer) => peer.nick === 'stays');

/** Unix time in ms of the engine's first snapshot. */
export function started(member: Member): Promise<number> {
  return new Promise((resolve) => member.up.child.stdout?.once('data', () => resolve(Date.now())));
}

/** Whether the member that stays is reached without a server. */
export function isDirect(snapshot: Snapshot): boolean {
  const kind = stateOf(snapshot)?.path?.kind;
  return kind !== undefined && kind !== 'relay';
}

/** Unix time in ms of the first echo from `address`, asked for every 10 ms from the member that stays. */
function echo(topology: Topology, stays: Member, address: string): Promise<number> {
  const argv = ['ping', '-n', '-D', '-i', '0.01', '-w', '20', address];
  const ping = topology.lab.spawn(stays.namespace, argv);
  return new Promise((resolve, reject) => {
    let text = '';
    ping.child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const first = /^\[([\d.]+)\] \d+ bytes from/m.exec(text);
      if (!first) return;
      resolve(Number(first[1]) * 1_000);
      void ping.stop();
    });
    void ping.exited.then(() => reject(new Error(`${address} never answered\n${ping.output}`)));
  });
}

function row(pair: string, samples: readonly Sample[]): string[] {
  const spread = (values: readonly number[]) =>
    values.length === 0 ? '-' : `${digits(quantile(values, 0.5))} / ${digits(quantile(values, 0.95))}`;
  const direct = samples.filter((sample) => sample.directMs !== null);
  return [
    pair,
    spread(samples.map((sample) => sample.startMs)),
    spread(samples.map((sample) => sample.packetMs - sample.startMs)),
    spread(samples.map((sample) => sample.packetMs)),
    spread(direct.map((sample) => (sample.directMs ?? 0) - sample.startMs)),
    `${direct.length}/${samples.length}`,
  ];
}
