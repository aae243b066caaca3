/** What `npm run bench:tunnel` and `npm run soak:tunnel` measure: tunnels of several makes between two namespaces. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab, LabProcess, Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { until } from '../until.ts';

const READY_MS = 15_000;

export interface Contestant {
  name: string;
  /** Address of the far end. */
  target: string;
  /** Whose processor time counts. */
  ends: readonly LabProcess[];
}

/**
 * The raw link, the pipe, wireguard-go and ours, all up between the same two namespaces. With BENCH_CRYPTO_THREADS=N ours comes
 * twice, once with a pool of that many threads whatever cores there are.
 */
export async function startContestants(lab: Lab, near: Namespace, far: Namespace): Promise<Contestant[]> {
  await link(lab, near, far);
  const contestants: Contestant[] = [
    { name: 'raw link', target: '10.99.0.2', ends: [] },
    { name: 'static-key pipe', target: '10.98.3.2', ends: await pipe(lab, near, far) },
    { name: 'wireguard-go', target: '10.98.1.2', ends: await wireguardGo(lab, near, far) },
    { name: 'warren', target: '10.98.2.2', ends: await ours(lab, near, far) },
  ];
  const threads = process.env['BENCH_CRYPTO_THREADS'];
  if (threads !== undefined) {
    const ends = await ours(lab, near, far, { net: 4, cryptoThreads: Number(threads) });
    contestants.push({ name: `warren, a pool of ${threads}`, target: '10.98.4.2', ends });
  }
  for (const { target } of contestants) await untilReachable(lab, near, target);
  return contestants;
}

export async function link(lab: Lab, near: Namespace, far: Namespace): Promise<void> {
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

interface OursOptions {
  /** Third number of the tunnel's addresses, which also tells names and ports apart. */
  net: number;
  cryptoThreads?: number;
}

async function ours(
  lab: Lab,
  near: Namespace,
  far: Namespace,
  { net, ...options }: OursOptions = { net: 2 },
): Promise<LabProcess[]> {
  const port = 51_810 + 10 * net;
  const [a, b] = [keyPair(), keyPair()];
  const program = join(import.meta.dirname, 'tunnel-end.js');
  const start = (namespace: Namespace, own: KeyPair, other: KeyPair, host: number, peer: number): LabProcess => {
    const config = {
      ...options,
      name: `warren${net}${host}`,
      address: `10.98.${net}.${host}/24`,
      privateKey: own.privateKey,
      port: port + host,
      peerKey: other.publicKey,
      peerAddress: `10.98.${net}.${peer}`,
      peerEndpoint: { ip: `10.99.0.${peer}`, port: port + peer },
    };
    return lab.spawn(namespace, [process.execPath, program, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  };
  const ends = [start(near, a, b, 1, 2), start(far, b, a, 2, 1)];
  await until('both ends are ready', () => ends.every((end) => end.output.includes('ready')), READY_MS);
  return ends;
}

export const untilReachable = (lab: Lab, near: Namespace, target: string): Promise<void> =>
  until(
    `${target} answers`,
    async () => (await lab.run(near, ['ping', '-c', '1', '-W', '1', target])).code === 0,
    READY_MS,
  );
