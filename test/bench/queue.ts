/**
 * What a game notices of a download in the same tunnel: the delay of 60 datagrams a second (game-flow.cc), alone and beside TCP
 * that saturates the path. At full speed, through a modem, over the WebSocket relay, between several peers, and beside
 * broadcast. The host of a virtual machine that takes a processor for some milliseconds decides a p99 by itself; so what counts
 * is the third of the rounds in which it took least, and the table tells those of all rounds beside it.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Member, RendezvousServer } from '../lab/cli.ts';
import { Lab, type LabProcess, type Namespace } from '../lab/netns.ts';
import { labBuildDirectory, repositoryRoot } from '../lab/paths.ts';
import { bothOver, joinAll } from '../lab/room.ts';
import { startTopology } from '../lab/topology.ts';
import { until } from '../until.ts';
import type { QueueEndConfig } from './queue-end.ts';
import { type Flow, type Row, report, type Turn } from './queue-table.ts';
import { stolenWhile } from './stolen.ts';

const ROUNDS = 9;
const GAME_PORT = 9_000;
const DATAGRAMS_A_SECOND = 60;
const READY_MS = 30_000;
const PORT = 51_840;
/** A home's uplink and its modem's queue. */
const UPLINK = { rateMbit: 20, queueBytes: 256 * 1024 };

const tcp = ([rate]: readonly string[]): string => `TCP ${rate} Mbit/s`;

/** Each measurement takes `seconds`, idle and loaded, in each of the rounds. */
export async function benchQueue(seconds: number): Promise<string> {
  const game = await buildGame();
  const measurements = [
    () => betweenDevices({ what: 'full speed', game, seconds, uplink: false, paced: true, goalMs: 2 }),
    () =>
      betweenDevices({ what: 'uplink, 20 Mbit/s, not paced', game, seconds, uplink: true, paced: false, goalMs: null }),
    () => betweenDevices({ what: 'uplink, 20 Mbit/s', game, seconds, uplink: true, paced: true, goalMs: 15 }),
    () => betweenMany(game, seconds),
    () => overRelay(game, seconds),
  ];
  const turns = new Map<string, Turn[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const measure of measurements) {
      const { result, stolen } = await stolenWhile(measure);
      for (const row of result) turns.set(row.what, [...(turns.get(row.what) ?? []), { ...row, stolen }]);
    }
  }
  return report([...turns.values()]);
}

async function buildGame(): Promise<string> {
  mkdirSync(labBuildDirectory, { recursive: true });
  const program = join(labBuildDirectory, 'game-flow');
  const source = join(repositoryRoot, 'test/bench/game-flow.cc');
  await promisify(execFile)('g++', ['-O2', '-std=c++20', '-Wall', '-Wextra', '-Werror', source, '-o', program]);
  return program;
}

interface Between {
  what: string;
  game: string;
  seconds: number;
  uplink: boolean;
  paced: boolean;
  goalMs: number | null;
}

async function betweenDevices(options: Between): Promise<Row[]> {
  const lab = Lab.open();
  try {
    const [near, far] = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    const wire = await connect(lab, [near, far]);
    if (options.uplink) {
      // Beyond the host, as a modem is: the host's socket does not feel it.
      await lab.script(
        `tc -n ${wire.name} qdisc add dev port1 root tbf rate ${UPLINK.rateMbit}mbit burst 4000 limit ${UPLINK.queueBytes}`,
      );
    }
    await startEnds(lab, [near, far], options.paced);
    lab.spawn(far, ['iperf3', '-s']);
    const flow = () => gameFlow(lab, options.game, near, far, inner(1), options.seconds);
    const idle = await flow();
    const [loaded, rates] = await beside(flow, [iperf(lab, near, inner(1), options.seconds)]);
    return [{ what: options.what, idle, loaded, rates, beside: tcp, goalMs: options.goalMs }];
  } finally {
    await lab.close();
  }
}

/** One sends to three: a game to the first beside downloads of the others, and beside a stream of broadcasts. */
async function betweenMany(game: string, seconds: number): Promise<Row[]> {
  const lab = Lab.open();
  try {
    const ends = await lab.namespaces(['near', 'far1', 'far2', 'far3']);
    const [near, first, ...others] = ends as [Namespace, Namespace, ...Namespace[]];
    await connect(lab, ends);
    await startEnds(lab, ends, true);
    for (const end of ends.slice(1)) lab.spawn(end, ['iperf3', '-s']);
    const flow = () => gameFlow(lab, game, near, first, inner(1), seconds);
    const idle = await flow();
    const downloads = others.map((_, index) =>
      iperf(lab, near, inner(index + 2), seconds, ['-P', index === 0 ? '4' : '1']),
    );
    const [shared, rates] = await beside(flow, downloads);
    // Ten thousand 1,000-byte broadcasts a second, each copied to three peers.
    const [cast, received] = await beside(flow, [broadcast(lab, near, others[0] as Namespace, seconds)]);
    return [
      {
        what: 'beside two other peers',
        idle,
        loaded: shared,
        rates,
        beside: ([four, one]) => `4 flows to one ${four}, 1 flow to another ${one} Mbit/s`,
        goalMs: 2,
      },
      {
        what: 'beside broadcast',
        idle,
        loaded: cast,
        rates: received,
        beside: ([rate]) => `${rate} Mbit/s to each`,
        goalMs: 2,
      },
    ];
  } finally {
    await lab.close();
  }
}

async function overRelay(game: string, seconds: number): Promise<Row[]> {
  const topology = await startTopology({
    sites: [
      { name: 'ann', nat: 'public' },
      { name: 'bob', nat: 'public' },
    ],
  });
  try {
    const { lab } = topology;
    const server = await RendezvousServer.start(lab, topology.server);
    const players = ['ann', 'bob'].map((nick) => ({
      nick,
      namespace: topology.site(nick).hosts[0]!.namespace,
      extra: ['--relay-only'],
    }));
    const members = await joinAll(lab, players, {
      room: 'queue',
      password: 'warm-otter-beacon-42',
      servers: [server.url],
    });
    const [ann, bob] = [members.get('ann'), members.get('bob')] as [Member, Member];
    await bothOver(ann, bob, ['relay'], READY_MS);
    lab.spawn(bob.namespace, ['iperf3', '-s']);
    const flow = () => gameFlow(lab, game, ann.namespace, bob.namespace, bob.ipv4, seconds);
    const idle = await flow();
    const [loaded, rates] = await beside(flow, [iperf(lab, ann.namespace, bob.ipv4, seconds)]);
    await Promise.all([ann.stop(), bob.stop()]);
    return [{ what: 'WebSocket relay', idle, loaded, rates, beside: tcp, goalMs: null }];
  } finally {
    await topology.close();
  }
}

const inner = (index: number): string => `10.98.2.${index + 1}`;
const outer = (index: number): string => `10.99.0.${index + 1}`;

/** One bridge, in a namespace of its own, with a port for each. */
async function connect(lab: Lab, ends: readonly Namespace[]): Promise<Namespace> {
  const wire = await lab.namespace('wire');
  await lab.script(`
    ip -n ${wire.name} link add bridge type bridge forward_delay 0 && ip -n ${wire.name} link set bridge up
    ${ends
      .map(
        ({ name }, index) => `
    ip -n ${name} link add wan type veth peer name port${index} netns ${wire.name}
    ip -n ${wire.name} link set port${index} master bridge up
    ip -n ${name} address add ${outer(index)}/24 dev wan && ip -n ${name} link set wan up`,
      )
      .join('')}`);
  return wire;
}

/** The first end has a tunnel to each of the others. */
async function startEnds(lab: Lab, ends: readonly Namespace[], paced: boolean): Promise<void> {
  const keys = ends.map(() => keyPair());
  const probes = ends.map(
    () => [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64')) as [string, string],
  );
  const peer = (index: number, probe: [string, string]) => ({
    key: keys[index]?.publicKey ?? '',
    address: inner(index),
    endpoint: { ip: outer(index), port: PORT + index },
    probe: paced ? { send: probe[0], receive: probe[1] } : null,
  });
  const start = (namespace: Namespace, index: number): LabProcess => {
    const [send, receive] = probes[index] as [string, string];
    const config: QueueEndConfig = {
      name: `warren${index}`,
      address: `${inner(index)}/24`,
      privateKey: keys[index]?.privateKey ?? '',
      port: PORT + index,
      peers:
        index > 0
          ? [peer(0, [receive, send])]
          : ends.slice(1).map((_, i) => peer(i + 1, probes[i + 1] as [string, string])),
      broadcast: ends.length > 2 ? '10.98.2.255' : null,
    };
    const program = join(import.meta.dirname, 'queue-end.js');
    return lab.spawn(namespace, [process.execPath, program, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  };
  const started = ends.map(start);
  await until('all ends are ready', () => started.every((end) => end.output.includes('ready')), READY_MS);
}

function keyPair(): { privateKey: string; publicKey: string } {
  const privateKey = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim();
  return { privateKey, publicKey: execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: privateKey }).trim() };
}

async function gameFlow(
  lab: Lab,
  game: string,
  from: Namespace,
  to: Namespace,
  ip: string,
  seconds: number,
): Promise<Flow> {
  const sent = seconds * DATAGRAMS_A_SECOND;
  const receiver = lab.spawn(to, [game, 'receive', String(GAME_PORT), String(sent)]);
  await until('the game listens', () => receiver.output.includes('ready'));
  await lab.spawn(from, [game, 'send', ip, String(GAME_PORT), String(sent)]).exited;
  await receiver.exited;
  const line = receiver.output.split('\n').find((text) => text.startsWith('['));
  return { delays: (JSON.parse(line ?? '[]') as number[]).map((micros) => micros / 1_000), sent };
}

/** Runs the game's flow while the loads run; resolves with their rates as well. */
async function beside(flow: () => Promise<Flow>, loads: readonly Promise<number>[]): Promise<[Flow, number[]]> {
  const [measured, ...rates] = await Promise.all([flow(), ...loads]);
  return [measured, rates];
}

interface IperfResult {
  end: { sum_received: { bits_per_second: number } };
}

/** Mbit/s of a TCP transfer that lasts a second longer than what is measured beside it. */
async function iperf(lab: Lab, from: Namespace, ip: string, seconds: number, options: string[] = []): Promise<number> {
  const argv = ['iperf3', '-J', '-c', ip, '-t', String(seconds + 1), ...options];
  const { stdout } = await lab.run(from, argv, { timeoutMs: (seconds + 30) * 1_000 });
  return (JSON.parse(stdout) as IperfResult).end.sum_received.bits_per_second / 1e6;
}

/** Mbit/s of broadcasts as one of the receivers counts them. */
async function broadcast(lab: Lab, from: Namespace, to: Namespace, seconds: number): Promise<number> {
  const received = async () => {
    const { stdout } = await lab.run(to, ['cat', '/sys/class/net/warren2/statistics/rx_bytes']);
    return Number(stdout);
  };
  const before = await received();
  const flood = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.bind(0, () => {
      socket.setBroadcast(true);
      const bytes = Buffer.alloc(1000);
      setInterval(() => { for (let i = 0; i < 20; i++) socket.send(bytes, 9999, '10.98.2.255'); }, 2);
      setTimeout(() => process.exit(0), ${seconds * 1_000});
    });`;
  await lab.spawn(from, [process.execPath, '-e', flood]).exited;
  return (((await received()) - before) * 8) / seconds / 1e6;
}
