/** Our device and wireguard-go, each in a namespace, on one wire: `ours` is .1, `theirs` is .2 (and .3 for its neighbour). */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { Lab, type Namespace } from '../netns.ts';
import { repositoryRoot } from '../paths.ts';
import { JsonLines } from './json-lines.ts';
import type { Command, PeerSettings, Report } from './peer.ts';
import { WireguardGo } from './wireguard-go.ts';

export const ports = { ours: 51_820, theirs: 51_821 };
export const outer = { ours: '198.51.100.1', theirs: '198.51.100.2', neighbour: '198.51.100.3' };
export const outerV6 = { ours: '2001:db8::1', theirs: '2001:db8::2' };
export const inner = { ours: '10.64.0.1', theirs: '10.64.0.2' };
export const innerV6 = { ours: 'fd00::1', theirs: 'fd00::2' };

/** How long a reply may be late before it counts as lost. */
const LATE_REPLIES_MS = 3_000;

export interface Keys {
  privateKey: string;
  publicKey: string;
}

export function freshKeys(): Keys {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: base64(Buffer.from(d!, 'base64url')), publicKey: base64(Buffer.from(x!, 'base64url')) };
}

export function freshPresharedKey(): string {
  return base64(randomBytes(32));
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}

/** Path of a script of this folder as it is built. */
export function script(name: string): string {
  return join(repositoryRoot, 'build/test/lab/interop', `${name}.js`);
}

export interface PairOptions {
  presharedKey?: { ours: string; theirs: string };
  /** Ours follows the peer's data. Default false. */
  roaming?: boolean;
  /** Ours begins handshakes. Default true. */
  initiate?: boolean;
  /** Whether wireguard-go is told our endpoint. Default false: it learns it. */
  theyKnowUs?: boolean;
  /** CLOCK_BOOTTIME of our process runs this many times faster: key ages pass sooner. Default 1. */
  ageFactor?: number;
  /** What the kernel of our process refuses; see old-kernel.c. Default nothing. */
  kernelLacks?: string[];
}

export class Pair {
  readonly lab: Lab;
  readonly ours: Namespace;
  readonly theirs: Namespace;
  readonly keys = { ours: freshKeys(), theirs: freshKeys() };
  readonly wireguard: WireguardGo;
  readonly device: JsonLines<Command, Report>;

  private constructor(
    lab: Lab,
    [ours, theirs]: readonly [Namespace, Namespace],
    wireguard: WireguardGo,
    { ageFactor = 1, kernelLacks = [] }: PairOptions,
  ) {
    this.lab = lab;
    this.ours = ours;
    this.theirs = theirs;
    this.wireguard = wireguard;
    this.device = new JsonLines(lab, ours, [process.execPath, script('peer')], {
      ...agingEnvironment(ageFactor),
      ...oldKernelEnvironment(kernelLacks),
    });
  }

  static async open(options: PairOptions = {}): Promise<Pair> {
    const lab = Lab.open();
    try {
      const [ours, theirs] = (await lab.namespaces(['ours', 'theirs'])) as [Namespace, Namespace];
      await lab.script(wire(ours.name, theirs.name));
      const wireguard = await WireguardGo.start(lab, theirs, [`${inner.theirs}/20`, `${innerV6.theirs}/64`]);
      const pair = new Pair(lab, [ours, theirs], wireguard, options);
      await pair.#start(options);
      return pair;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async #start({ presharedKey, roaming = false, initiate = true, theyKnowUs = false }: PairOptions): Promise<void> {
    await this.wireguard.configure(
      [
        '[Interface]',
        `PrivateKey = ${this.keys.theirs.privateKey}`,
        `ListenPort = ${ports.theirs}`,
        '[Peer]',
        `PublicKey = ${this.keys.ours.publicKey}`,
        ...(presharedKey ? [`PresharedKey = ${presharedKey.theirs}`] : []),
        `AllowedIPs = ${inner.ours}/32, ${innerV6.ours}/128`,
        ...(theyKnowUs ? [`Endpoint = ${outer.ours}:${ports.ours}`] : []),
        '',
      ].join('\n'),
    );
    const peer: PeerSettings = {
      publicKey: this.keys.theirs.publicKey,
      ...(presharedKey ? { presharedKey: presharedKey.ours } : {}),
      allowedIps: [`${inner.theirs}/32`, `${innerV6.theirs}/128`],
      roaming,
      initiate,
    };
    const addresses = [`${inner.ours}/20`, `${innerV6.ours}/64`];
    const { privateKey } = this.keys.ours;
    await this.device.ask({ do: 'start', privateKey, udpPort: ports.ours, addresses, peer });
  }

  /** Tells our device where wireguard-go is. */
  connect(to = { ip: outer.theirs, port: ports.theirs }, freshSocket = false): Promise<Report> {
    return this.device.ask({ do: 'path', to, freshSocket });
  }

  report(): Promise<Report> {
    return this.device.ask({ do: 'report' });
  }

  /** Pings through the tunnel from one side, 100 a second; answers how many replies to `count` came, late ones included. */
  async ping(from: 'ours' | 'theirs', count: number, ...options: string[]): Promise<number> {
    const [namespace, to] = from === 'ours' ? [this.ours, inner.theirs] : [this.theirs, inner.ours];
    const before = await this.#echoReplies(namespace);
    const argv = ['ping', '-q', '-n', '-c', String(count), '-i', '0.01', '-W', '1', ...options, to];
    const { code, stdout, stderr } = await this.lab.run(namespace, argv, { timeoutMs: 600_000 });
    if (code > 1) throw new Error(`ping: ${stdout}${stderr}`);
    // ping itself waits for the last replies only twice as long as the slowest took so far: a busy machine outruns it.
    const replies = async (): Promise<number> => (await this.#echoReplies(namespace)) - before;
    const end = performance.now() + LATE_REPLIES_MS;
    while ((await replies()) < count && performance.now() < end) await setTimeout(20);
    return replies();
  }

  /** ICMP echo replies that the namespace's kernel has received. */
  async #echoReplies(namespace: Namespace): Promise<number> {
    const { stdout } = await this.lab.run(namespace, ['cat', '/proc/net/snmp']);
    const [names = '', values = ''] = stdout.split('\n').filter((line) => line.startsWith('IcmpMsg:'));
    const column = names.split(' ').indexOf('InType0');
    return column < 0 ? 0 : Number(values.split(' ')[column]);
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

function wire(ours: string, theirs: string): string {
  return `
    ip -n ${ours} link add wan type veth peer name wan netns ${theirs}
    ip -n ${ours} address add ${outer.ours}/24 dev wan
    ip -n ${ours} address add ${outerV6.ours}/64 dev wan nodad
    ip -n ${theirs} address add ${outer.theirs}/24 dev wan
    ip -n ${theirs} address add ${outer.neighbour}/24 dev wan
    ip -n ${theirs} address add ${outerV6.theirs}/64 dev wan nodad
    ip -n ${ours} link set wan up
    ip -n ${theirs} link set wan up
  `;
}

/** The environment under which CLOCK_BOOTTIME runs faster; see fast-clock.c. */
/** Of a process whose keys age so many times faster. */
export function agingEnvironment(factor: number): Record<string, string> {
  return factor === 1 ? {} : { LD_PRELOAD: preload('fast-clock'), FAST_CLOCK_FACTOR: String(factor) };
}

/** The environment under which the kernel refuses what is named; see old-kernel.c. */
function oldKernelEnvironment(lacks: readonly string[]): Record<string, string> {
  return lacks.length === 0 ? {} : { LD_PRELOAD: preload('old-kernel'), OLD_KERNEL_LACKS: lacks.join(',') };
}

/** Builds a library of this folder that is loaded before all others, and answers its path. */
function preload(name: string): string {
  const library = join(repositoryRoot, `build/test/lab/interop/${name}.so`);
  const source = join(repositoryRoot, `test/lab/interop/${name}.c`);
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror', source, '-o', library]);
  return library;
}
