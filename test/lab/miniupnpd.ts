/** miniupnpd, the daemon of most home routers, in a site's kernel-NAT gateway. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalIp } from '../../engine/core/candidates/address.ts';
import type { MappingProtocol } from '../../engine/core/mapping/contract.ts';
import { until } from '../until.ts';
import type { Lab, LabProcess, Namespace } from './netns.ts';

export interface MiniupnpdOptions {
  /** What it answers to; PCP and NAT-PMP share a port, so a filter tells them apart. */
  readonly protocols: readonly MappingProtocol[];
  /** Serves IPv6 too: pinholes over PCP and WANIPv6FirewallControl. Default false. */
  readonly ipv6?: boolean;
  /** Longest lease that PCP and NAT-PMP get, seconds. Default: two hours and more. */
  readonly maxLifetimeS?: number;
}

/** One line of the lease file. */
export interface LeaseLine {
  readonly transport: string;
  readonly externalPort: number;
  readonly client: string;
  readonly internalPort: number;
  /** Unix time in seconds; 0: for ever. */
  readonly expires: number;
}

const PROTOCOL_BYTES = { pcp: 2, 'nat-pmp': 0 } as const;

/** The daemon's chains: its translations, and its ways through the gateway's filter, IPv6 pinholes too. */
const CHAINS = `
table inet miniupnpd {
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
}
add chain inet filter miniupnpd
insert rule inet filter forward jump miniupnpd
`;

export class Miniupnpd {
  readonly #lab: Lab;
  readonly #gateway: Namespace;
  readonly #directory: string;
  readonly #options: MiniupnpdOptions;
  readonly #process: LabProcess;

  private constructor(lab: Lab, gateway: Namespace, directory: string, options: MiniupnpdOptions) {
    this.#lab = lab;
    this.#gateway = gateway;
    this.#directory = directory;
    this.#options = options;
    this.#process = this.#spawn();
  }

  /** Starts it in a gateway whose LAN is `br-lan` and whose outside is `wan`; resolves when it listens. */
  static async start(lab: Lab, gateway: Namespace, options: MiniupnpdOptions): Promise<Miniupnpd> {
    const directory = await mkdtemp(join(tmpdir(), 'warren-miniupnpd-'));
    const silenced = (['pcp', 'nat-pmp'] as const).filter((protocol) => !options.protocols.includes(protocol));
    const drops = silenced.map(
      (protocol) => `insert rule inet filter input udp dport 5351 @th,64,8 ${PROTOCOL_BYTES[protocol]} drop\n`,
    );
    const rules = await lab.run(gateway, ['nft', '-f', '-'], { input: CHAINS + drops.join('') });
    if (rules.code !== 0) throw new Error(`nft: ${rules.stderr}`);
    await writeFile(join(directory, 'miniupnpd.conf'), configuration(directory, options));
    const daemon = new Miniupnpd(lab, gateway, directory, options);
    await daemon.#listens();
    return daemon;
  }

  get output(): string {
    return this.#process.output;
  }

  async leases(): Promise<LeaseLine[]> {
    const text = await readFile(join(this.#directory, 'leases'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [transport = '', external, client = '', internal, expires] = line.split(':');
        return {
          transport,
          client,
          externalPort: Number(external),
          internalPort: Number(internal),
          expires: Number(expires),
        };
      });
  }

  /** Ports that the kernel forwards, whatever the daemon believes. */
  async forwarded(): Promise<number[]> {
    const chain = ['nft', 'list', 'chain', 'inet', 'miniupnpd', 'prerouting_miniupnpd'];
    const { stdout } = await this.#lab.run(this.#gateway, chain);
    return [...stdout.matchAll(/dport (\d+)/g)].map((match) => Number(match[1]));
  }

  /** IPv6 endpoints that the kernel lets everybody in to. */
  async pinholes(): Promise<string[]> {
    const { stdout } = await this.#lab.run(this.#gateway, ['nft', 'list', 'chain', 'inet', 'filter', 'miniupnpd']);
    // The daemon writes its rules by the bits of the header: 128 of them from bit 192 on are the destination.
    return [...stdout.matchAll(/dport (\d+) @nh,192,128 0x([0-9a-f]{32})\b.* accept/g)].map(([, port, hex = '']) => {
      return `[${canonicalIp((hex.match(/.{4}/g) ?? []).join(':'))}]:${port}`;
    });
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #spawn(): LabProcess {
    const files = ['-f', join(this.#directory, 'miniupnpd.conf'), '-P', join(this.#directory, 'pid')];
    return this.#lab.spawn(this.#gateway, ['miniupnpd', '-d', ...files]);
  }

  async #listens(): Promise<void> {
    const wanted = this.#options.protocols.includes('upnp') ? /HTTP listening/ : /NAT-PMP\/PCP traffic/;
    await until(`miniupnpd listens`, () => {
      if (!this.#process.running) throw new Error(`miniupnpd ended:\n${this.output}`);
      return wanted.test(this.output);
    });
  }
}

function configuration(directory: string, { protocols, ipv6, maxLifetimeS }: MiniupnpdOptions): string {
  const portControl = protocols.includes('pcp') || protocols.includes('nat-pmp');
  return [
    'ext_ifname=wan',
    'listening_ip=br-lan',
    'http_port=5000',
    `ipv6_disable=${ipv6 ? 'no' : 'yes'}`,
    `enable_upnp=${protocols.includes('upnp') ? 'yes' : 'no'}`,
    `enable_natpmp=${portControl ? 'yes' : 'no'}`,
    'min_lifetime=2',
    `max_lifetime=${maxLifetimeS ?? 86_400}`,
    'secure_mode=yes',
    'system_uptime=no',
    'notify_interval=600',
    'uuid=7b7a1c5e-0a7f-4f6c-9a35-2f2f1f6f5b11',
    `lease_file=${join(directory, 'leases')}`,
    'upnp_table_name=filter',
    'upnp_nat_table_name=miniupnpd',
    'upnp_forward_chain=miniupnpd',
    'upnp_nat_chain=prerouting_miniupnpd',
    'upnp_nat_postrouting_chain=postrouting_miniupnpd',
    'allow 1024-65535 192.168.0.0/16 1024-65535',
    'deny 0-65535 0.0.0.0/0 0-65535',
    '',
  ].join('\n');
}
