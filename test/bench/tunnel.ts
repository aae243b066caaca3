/**
 * Throughput, datagrams, round trips and processor time of the native device, Debian's wireguard-go, a pipe with a static key
 * (tunnel-pipe.cc) and the raw link between two namespaces, interleaved round by round, so that a noisy machine disturbs all
 * alike.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, type LabProcess, type Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { until } from '../until.ts';
import { digits, median, quantile, table } from './figures.ts';

const SECONDS = 4;
const PINGS = 400;
const READY_MS = 15_000;
const DATAGRAM_SIZES = [64, 300, 1_300];
/** Of _SC_CLK_TCK: what /proc counts processor time in. */
const TICKS_A_SECOND = 100;

interface Sample {
  tcpOutGbit: number;
  tcpBackGbit: number;
  /** Received a second, by DATAGRAM_SIZES. */
  datagrams: number[];
  rttMicros: number[];
  loadedRttMicros: number[];
  /** Of the tunnel's processes at both ends, while TCP ran out. */
  cpuSecondsPerGbit: number;
}
interface Contestant {
  name: string;
  /** Address of the far end. */
  target: string;
  /** Whose processor time counts. */
  ends: readonly LabProcess[];
}

export async function benchTunnel(rounds: number): Promise<string> {
  const lab = Lab.open();
  try {
    const [near, far] = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    await link(lab, near, far);
    lab.spawn(far, ['iperf3', '-s']);
    const contestants: Contestant[] = [
      { name: 'raw link', target: '10.99.0.2', ends: [] },
      { name: 'static-key pipe', target: '10.98.3.2', ends: await pipe(lab, near, far) },
      { name: 'wireguard-go', target: '10.98.1.2', ends: await wireguardGo(lab, near, far) },
      { name: 'warren', target: '10.98.2.2', ends: await ours(lab, near, far) },
    ];
    const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
    for (const { target } of contestants) await untilReachable(lab, near, target);
    for (let round = 0; round < rounds; round++) {
      for (const one of contestants) samples.get(one.name)?.push(await measure(lab, near, one));
    }
    return report(samples);
  } finally {
    await lab.close();
  }
}

async function link(lab: Lab, near: Namespace, far: Namespace): Promise<void> {
  await lab.script(`
    ip -n ${near.name} link add wan type veth peer name wan netns ${far.name}
    ip -n ${near.name} address add 10.99.0.1/24 dev wan && ip -n ${near.name} link set wan up
    ip -n ${far.name} address add 10.99.0.2/24 dev wan && ip -n ${far.name} link set wan up`);
}

interface KeyPair {
  privateKey: string;
  publicKey: string;
}

function keyPair(): KeyPair {
  const privateKey = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim();
  const publicKey = execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: privateKey }).trim();
  return { privateKey, publicKey };
}

/** The pipe, built with the addon's flags (native/binding.gyp). */
async function pipe(lab: Lab, near: Namespace, far: Namespace): Promise<LabProcess[]> {
  const program = join(repositoryRoot, 'build/test/bench/tunnel-pipe');
  mkdirSync(join(program, '..'), { recursive: true });
  const source = join(repositoryRoot, 'test/bench/tunnel-pipe.cc');
  const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden', '-fPIC'];
  execFileSync('g++', [...flags, source, '-l:libcrypto.a', '-ldl', '-pthread', '-o', program]);
  const ends = [
    { namespace: near, host: 1, peer: 2 },
    { namespace: far, host: 2, peer: 1 },
  ];
  const started: LabProcess[] = [];
  for (const { namespace, host, peer } of ends) {
    const argv = [program, `pipe${host}`, `5184${host}`, `10.99.0.${peer}`, `5184${peer}`, `${host}`, `${peer}`];
    const process = lab.spawn(namespace, argv);
    await until(`pipe ${host} is ready`, () => process.output.includes('ready'));
    await lab.script(`
      ip -n ${namespace.name} address add 10.98.3.${host}/24 dev pipe${host}
      ip -n ${namespace.name} link set pipe${host} mtu 1420 up`);
    started.push(process);
  }
  return started;
}

async function wireguardGo(lab: Lab, near: Namespace, far: Namespace): Promise<LabProcess[]> {
  const started: LabProcess[] = [];
  const ends = [
    { namespace: near, name: `wgn${process.pid}`, own: keyPair(), host: 1, peer: 2, port: 51_821 },
    { namespace: far, name: `wgf${process.pid}`, own: keyPair(), host: 2, peer: 1, port: 51_822 },
  ] as const;
  for (const [index, end] of ends.entries()) {
    const other = ends[1 - index] ?? end;
    const options = { env: { ...process.env, LOG_LEVEL: 'silent' } };
    started.push(lab.spawn(end.namespace, ['wireguard-go', '-f', end.name], options));
    await until(`${end.name} is up`, async () => (await lab.run(end.namespace, ['wg', 'show', end.name])).code === 0);
    const set = `wg set ${end.name} private-key "$KEY_FILE" listen-port ${end.port}`;
    const peer = `peer ${other.own.publicKey} allowed-ips 10.98.1.${end.peer}/32 endpoint 10.99.0.${end.peer}:${other.port}`;
    // A pipe of Node's is a socket, which `wg` cannot open as a file: the shell makes a real one.
    const script = `KEY_FILE=$(mktemp) && echo '${end.own.privateKey}' > "$KEY_FILE" && ${set} ${peer}; rm "$KEY_FILE"`;
    await lab.run(end.namespace, ['sh', '-c', script]);
    await lab.script(`
      ip -n ${end.namespace.name} address add 10.98.1.${end.host}/24 dev ${end.name}
      ip -n ${end.namespace.name} link set ${end.name} mtu 1420 up`);
  }
  return started;
}

async function ours(lab: Lab, near: Namespace, far: Namespace): Promise<LabProcess[]> {
  const [a, b] = [keyPair(), keyPair()];
  const program = join(import.meta.dirname, 'tunnel-end.js');
  const start = (namespace: Namespace, own: KeyPair, other: KeyPair, host: number, peer: number): LabProcess => {
    const config = {
      name: `warren${host}`,
      address: `10.98.2.${host}/24`,
      privateKey: own.privateKey,
      port: 51_830 + host,
      peerKey: other.publicKey,
      peerAddress: `10.98.2.${peer}`,
      peerEndpoint: { ip: `10.99.0.${peer}`, port: 51_830 + peer },
    };
    return lab.spawn(namespace, [process.execPath, program, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  };
  const ends = [start(near, a, b, 1, 2), start(far, b, a, 2, 1)];
  await until('both ends are ready', () => ends.every((end) => end.output.includes('ready')), READY_MS);
  return ends;
}

const untilReachable = (lab: Lab, near: Namespace, target: string): Promise<void> =>
  until(
    `${target} answers`,
    async () => (await lab.run(near, ['ping', '-c', '1', '-W', '1', target])).code === 0,
    READY_MS,
  );

interface IperfReport {
  end: {
    sum_received: { bits_per_second: number; bytes: number };
    sum: { packets: number; lost_packets: number; seconds: number };
  };
}

async function measure(lab: Lab, near: Namespace, { target, ends }: Contestant): Promise<Sample> {
  const iperf = async (...options: string[]): Promise<IperfReport['end']> => {
    const result = await lab.run(near, ['iperf3', '-J', '-c', target, '-t', String(SECONDS), ...options]);
    return (JSON.parse(result.stdout) as IperfReport).end;
  };
  const ping = async (): Promise<number[]> => {
    const { stdout } = await lab.run(near, ['ping', '-i', '0.005', '-c', String(PINGS), target]);
    return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1_000);
  };
  const rttMicros = await ping();
  const cpuBefore = cpuSeconds(ends);
  const out = (await iperf()).sum_received;
  const cpu = cpuSeconds(ends) - cpuBefore;
  const back = (await iperf('-R')).sum_received;
  const [loadedRttMicros] = await Promise.all([ping(), iperf()]);
  const datagrams: number[] = [];
  for (const size of DATAGRAM_SIZES) {
    const { sum } = await iperf('-u', '-b', '0', '-l', String(size));
    datagrams.push((sum.packets - sum.lost_packets) / sum.seconds);
  }
  return {
    tcpOutGbit: out.bits_per_second / 1e9,
    tcpBackGbit: back.bits_per_second / 1e9,
    datagrams,
    rttMicros,
    loadedRttMicros,
    cpuSecondsPerGbit: cpu / ((out.bytes * 8) / 1e9),
  };
}

/** User and system time so far. */
function cpuSeconds(processes: readonly LabProcess[]): number {
  let ticks = 0;
  for (const { pid } of processes) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_A_SECOND;
}

/** Two tables: what is carried, and what it costs. The ratios are to wireguard-go and to the pipe. */
function report(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const of = (name: string, pick: (sample: Sample) => number) => median((samples.get(name) ?? []).map(pick));
  const pooled = (name: string, pick: (sample: Sample) => number[], p: number) =>
    quantile((samples.get(name) ?? []).flatMap(pick), p);
  const rows = (columns: [title: string, figure: (name: string) => number][]) =>
    table([
      ['', ...columns.map(([title]) => title)],
      ...[...samples.keys()].map((name) => [
        name,
        ...columns.map(([, figure]) => {
          const ratio = (to: string) => digits(figure(name) / figure(to));
          return `${digits(figure(name))} (${ratio('wireguard-go')}, ${ratio('static-key pipe')})`;
        }),
      ]),
    ]);
  const throughput = rows([
    ['TCP out, Gbit/s', (name) => of(name, (sample) => sample.tcpOutGbit)],
    ['TCP back, Gbit/s', (name) => of(name, (sample) => sample.tcpBackGbit)],
    ...DATAGRAM_SIZES.map((size, i): [string, (name: string) => number] => [
      `UDP ${size} B, datagrams/s`,
      (name) => of(name, (sample) => sample.datagrams[i] ?? Number.NaN),
    ]),
  ]);
  const cost = rows([
    ['RTT idle p50, us', (name) => pooled(name, (sample) => sample.rttMicros, 0.5)],
    ['p99, us', (name) => pooled(name, (sample) => sample.rttMicros, 0.99)],
    ['RTT beside TCP p50, us', (name) => pooled(name, (sample) => sample.loadedRttMicros, 0.5)],
    ['p99, us', (name) => pooled(name, (sample) => sample.loadedRttMicros, 0.99)],
    ['processor, s/Gbit', (name) => of(name, (sample) => sample.cpuSecondsPerGbit)],
  ]);
  return `In brackets: ratio to wireguard-go, and to the pipe.\n\n${throughput}\n\n${cost}`;
}
