/**
 * Throughput, datagrams and round trips of the native device, Debian's wireguard-go, and the raw link between two
 * namespaces, interleaved round by round, so that a noisy machine disturbs all alike.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Lab, type LabProcess, type Namespace } from '../lab/netns.ts';
import { until } from '../until.ts';
import { digits, median, quantile, table } from './figures.ts';

const SECONDS = 4;
const PINGS = 400;
const READY_MS = 15_000;

interface Sample {
  tcpOutGbit: number;
  tcpBackGbit: number;
  datagrams: number;
  rttMicros: number[];
}
interface Contestant {
  name: string;
  /** Address of the far end. */
  target: string;
}

export async function benchTunnel(rounds: number): Promise<string> {
  const lab = Lab.open();
  try {
    const [near, far] = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    await link(lab, near, far);
    await wireguardGo(lab, near, far);
    await ours(lab, near, far);
    lab.spawn(far, ['iperf3', '-s']);
    const contestants: Contestant[] = [
      { name: 'raw link', target: '10.99.0.2' },
      { name: 'wireguard-go', target: '10.98.1.2' },
      { name: 'warren', target: '10.98.2.2' },
    ];
    const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
    for (const { target } of contestants) await untilReachable(lab, near, target);
    for (let round = 0; round < rounds; round++) {
      for (const { name, target } of contestants) samples.get(name)?.push(await measure(lab, near, target));
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

async function wireguardGo(lab: Lab, near: Namespace, far: Namespace): Promise<void> {
  const ends = [
    { namespace: near, name: `wgn${process.pid}`, own: keyPair(), host: 1, peer: 2, port: 51_821 },
    { namespace: far, name: `wgf${process.pid}`, own: keyPair(), host: 2, peer: 1, port: 51_822 },
  ] as const;
  for (const [index, end] of ends.entries()) {
    const other = ends[1 - index] ?? end;
    lab.spawn(end.namespace, ['wireguard-go', '-f', end.name], { env: { ...process.env, LOG_LEVEL: 'silent' } });
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
}

async function ours(lab: Lab, near: Namespace, far: Namespace): Promise<void> {
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
}

const untilReachable = (lab: Lab, near: Namespace, target: string): Promise<void> =>
  until(
    `${target} answers`,
    async () => (await lab.run(near, ['ping', '-c', '1', '-W', '1', target])).code === 0,
    READY_MS,
  );

async function measure(lab: Lab, near: Namespace, target: string): Promise<Sample> {
  const iperf = async (...options: string[]) => {
    const result = await lab.run(near, ['iperf3', '-J', '-c', target, '-t', String(SECONDS), ...options]);
    return JSON.parse(result.stdout) as {
      end: {
        sum_received: { bits_per_second: number };
        sum: { packets: number; lost_packets: number; seconds: number };
      };
    };
  };
  const ping = await lab.run(near, ['ping', '-i', '0.005', '-c', String(PINGS), target]);
  const out = await iperf();
  const back = await iperf('-R');
  const { sum } = (await iperf('-u', '-b', '0', '-l', '1300')).end;
  return {
    tcpOutGbit: out.end.sum_received.bits_per_second / 1e9,
    tcpBackGbit: back.end.sum_received.bits_per_second / 1e9,
    datagrams: (sum.packets - sum.lost_packets) / sum.seconds,
    rttMicros: [...ping.stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1_000),
  };
}

function report(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const figures = (name: string) => {
    const all = samples.get(name) ?? [];
    const rtts = all.flatMap((sample) => sample.rttMicros);
    return [
      median(all.map((sample) => sample.tcpOutGbit)),
      median(all.map((sample) => sample.tcpBackGbit)),
      median(all.map((sample) => sample.datagrams)),
      median(rtts),
      quantile(rtts, 0.99),
    ];
  };
  const reference = figures('wireguard-go');
  return table([
    ['', 'TCP out, Gbit/s', 'TCP back, Gbit/s', 'UDP 1,300 B, datagrams/s', 'RTT p50, us', 'RTT p99, us'],
    ...[...samples.keys()].map((name) => [
      name,
      ...figures(name).map((value, i) => `${digits(value)} (x ${digits(value / (reference[i] ?? Number.NaN))})`),
    ]),
  ]);
}
