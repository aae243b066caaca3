/** The reference implementation in user space (Debian's `wireguard-go`), configured with `wg`. */

import { until } from '../../until.ts';
import type { Lab, LabProcess, Namespace } from '../netns.ts';

/** What `wg show NAME dump` says of a peer. */
export interface PeerState {
  endpoint: string;
  /** Seconds since 1970; 0 for never. */
  latestHandshake: number;
  receivedBytes: number;
  sentBytes: number;
}

let started = 0;

export class WireguardGo {
  readonly process: LabProcess;
  readonly #lab: Lab;
  readonly #namespace: Namespace;
  readonly #name: string;

  private constructor(lab: Lab, namespace: Namespace, name: string) {
    this.#lab = lab;
    this.#namespace = namespace;
    this.#name = name;
    const env = { ...process.env, LOG_LEVEL: 'verbose' };
    this.process = lab.spawn(namespace, ['wireguard-go', '--foreground', name], { env });
  }

  /** A running interface with addresses. Its control socket is the machine's, so the name is this process's own. */
  static async start(lab: Lab, namespace: Namespace, addresses: string[]): Promise<WireguardGo> {
    started += 1;
    const wireguard = new WireguardGo(lab, namespace, `hx${process.pid}n${started}`);
    await until('wireguard-go listens', async () => {
      if (!wireguard.process.running) throw new Error(`wireguard-go ended: ${wireguard.process.output}`);
      return (await wireguard.#wg('show', wireguard.#name)) !== null;
    });
    for (const address of addresses) {
      await lab.run(namespace, ['ip', 'address', 'add', address, 'dev', wireguard.#name, 'nodad']);
    }
    await lab.run(namespace, ['ip', 'link', 'set', wireguard.#name, 'up']);
    return wireguard;
  }

  /** Replaces the whole configuration: `wg setconf`. */
  async configure(config: string): Promise<void> {
    // wg opens /dev/stdin, which fails for the socket that Node makes of a child's input: cat gives it a pipe.
    const argv = ['sh', '-c', 'cat | wg setconf "$1" /dev/stdin', 'sh', this.#name];
    const { code, stderr } = await this.#lab.run(this.#namespace, argv, { input: config });
    if (code !== 0) throw new Error(`wg refuses: ${stderr}`);
  }

  async setListenPort(port: number): Promise<void> {
    if ((await this.#wg('set', this.#name, 'listen-port', String(port))) === null) throw new Error('wg set failed');
  }

  /** The only peer. */
  async peer(): Promise<PeerState> {
    const dump = await this.#wg('show', this.#name, 'dump');
    const fields = dump?.trim().split('\n')[1]?.split('\t') ?? [];
    const [, , endpoint = '', , handshake, received, sent] = fields;
    return {
      endpoint,
      latestHandshake: Number(handshake),
      receivedBytes: Number(received),
      sentBytes: Number(sent),
    };
  }

  /** Standard output, or null when `wg` fails. */
  async #wg(...args: string[]): Promise<string | null> {
    const { code, stdout } = await this.#lab.run(this.#namespace, ['wg', ...args]);
    return code === 0 ? stdout : null;
  }
}
