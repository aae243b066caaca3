/** A network with IPv6 only: tayga and the kernel's NAT translate in the site's gateway, and a small DNS64 answers on it. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../until.ts';
import type { Lab, LabProcess } from './netns.ts';
import { labSourceDirectory } from './paths.ts';
import type { Site } from './topology.ts';

/** A network-specific prefix: tayga keeps the well-known one from the private addresses that it translates to first. */
export const NAT64_PREFIX = '2001:db8:6464::';

export class Nat64Network {
  readonly #directory: string;
  readonly #etc: string;
  readonly #processes: LabProcess[] = [];

  private constructor(directory: string, etc: string) {
    this.#directory = directory;
    this.#etc = etc;
  }

  /** Takes IPv4 from the site's first host, which must have IPv6 behind a kernel NAT. */
  static async start(lab: Lab, site: Site): Promise<Nat64Network> {
    const { gateway } = site;
    const host = site.hosts[0]!;
    if (gateway === null || host.ipv6 === null) throw new Error(`${site.name} has no gateway or no IPv6`);
    const directory = await mkdtemp(join(tmpdir(), 'warren-nat64-'));
    // `ip netns exec` puts what is here over /etc.
    const etc = `/etc/netns/${host.namespace.name}`;
    const network = new Nat64Network(directory, etc);
    const resolver = host.ipv6.replace(/::.*$/, '::1');
    await mkdir(etc, { recursive: true });
    await writeFile(join(etc, 'resolv.conf'), `nameserver ${resolver}\n`);
    await writeFile(
      join(directory, 'tayga.conf'),
      [
        'tun-device nat64',
        'ipv4-addr 192.168.255.1',
        `prefix ${NAT64_PREFIX}/96`,
        'dynamic-pool 192.168.255.0/24',
        `data-dir ${directory}`,
        '',
      ].join('\n'),
    );
    const config = ['-c', join(directory, 'tayga.conf')];
    await lab.run(gateway, ['tayga', '--mktun', ...config]);
    await lab.script(`
ip -n ${gateway.name} link set nat64 up
ip -n ${gateway.name} route add 192.168.255.0/24 dev nat64
ip -n ${gateway.name} -6 route add ${NAT64_PREFIX}/96 dev nat64
ip netns exec ${gateway.name} nft insert rule inet filter forward iifname nat64 accept
ip -n ${host.namespace.name} -4 address flush dev eth0`);
    const dns = lab.spawn(gateway, [process.execPath, join(labSourceDirectory, 'dns64.mjs'), resolver, NAT64_PREFIX]);
    network.#processes.push(lab.spawn(gateway, ['tayga', '-d', ...config, '-p', join(directory, 'pid')]), dns);
    await until('the resolver listens', () => dns.output.includes('ready'));
    return network;
  }

  /** What the resolver was asked, a name a line. */
  get asked(): string {
    return this.#processes.map(({ output }) => output).join('');
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((running) => running.stop()));
    await rm(this.#directory, { recursive: true, force: true });
    await rm(this.#etc, { recursive: true, force: true });
  }
}
