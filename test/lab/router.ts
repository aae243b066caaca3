/** The user-space router as a typed object: its configuration, and what a test can do to the network while it runs. */
import { createInterface } from 'node:readline';
import type { Dependence } from './conformance/contract.ts';
import type { Lab, LabProcess, Namespace } from './netns.ts';

export type PortConfig =
  | { readonly kind: 'preserved'; readonly low?: number; readonly high?: number }
  | {
      readonly kind: 'sequential';
      readonly step?: number;
      readonly start?: number;
      readonly low?: number;
      readonly high?: number;
      /** Ports a second that others behind the same NAT take. */
      readonly foreignPerSecond?: number;
    }
  | { readonly kind: 'block'; readonly size?: number; readonly low?: number; readonly high?: number }
  | { readonly kind: 'random'; readonly low?: number; readonly high?: number };

/** Defaults are natbox's: see NatOptions in router/nat.hpp. */
export interface NatConfig {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
  readonly ports?: PortConfig;
  /** External addresses; the topology fills it in. */
  readonly external?: readonly string[];
  readonly pooling?: 'paired' | 'arbitrary';
  /** Mappings with different remotes may share an external port. */
  readonly overload?: boolean;
  readonly lifetimeMs?: number;
  readonly filterLifetimeMs?: number;
  readonly inboundRefresh?: boolean;
  /** An answer leaves by the mapping that let the question in. */
  readonly flows?: boolean;
  readonly hairpin?: boolean;
  readonly icmpKillsMappings?: boolean;
  readonly maxMappings?: number;
  readonly maxSessions?: number;
}

/** One direction of a link. */
export interface LinkConfig {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly lossPct?: number;
  /** Share of packets that cross twice. */
  readonly duplicatePct?: number;
  readonly reorderPct?: number;
  readonly reorderDelayMs?: number;
  /** Bottleneck in bit/s; 0 for none. */
  readonly rateBps?: number;
  /** Drop-tail queue before the bottleneck. */
  readonly queueBytes?: number;
  readonly mtu?: number;
  /** False makes an MTU a black hole. */
  readonly mtuIcmp?: boolean;
  /** Routers on the link beyond the one at its end. */
  readonly hops?: number;
}

export interface NodeConfig {
  readonly name: string;
  /** The node above; the Internet's core when absent. Parents come first in the list. */
  readonly parent?: string;
  readonly tun?: { readonly netns: string; readonly name: string; readonly mtu?: number };
  /** What the parent routes here beside a NAT's external addresses. */
  readonly prefixes?: readonly string[];
  readonly nat?: NatConfig;
  /** Stateful firewall: for IPv6 on a node with a NAT, for both versions on one without. */
  readonly firewall?: { readonly lifetimeMs?: number };
  readonly udpBlocked?: boolean;
  readonly up?: LinkConfig;
  readonly down?: LinkConfig;
}

export interface RouterConfig {
  readonly seed?: number;
  /** Source of the router's own ICMP errors. */
  readonly routerAddress?: string;
  readonly nodes: readonly NodeConfig[];
}

/** Seen from the node: up leaves it towards the Internet. */
export type Direction = 'up' | 'down' | 'both';

export interface LinkStats {
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number;
  readonly queueDrops: number;
  readonly tooBig: number;
}

export interface NodeStats {
  readonly up: number;
  readonly down: number;
  readonly blocked: number;
  /** By the NAT or the firewall. */
  readonly refused: number;
  readonly unroutable: number;
  readonly ttlExpired: number;
  readonly interfaceDrops: number;
  readonly uplink: LinkStats;
  readonly downlink: LinkStats;
  readonly nat?: {
    readonly mappings: number;
    readonly sessions: number;
    readonly mappingsCreated: number;
    readonly sessionsCreated: number;
    readonly filtered: number;
    readonly exhausted: number;
  };
}

interface Reply {
  readonly id?: number;
  readonly ready?: boolean;
  readonly ok?: boolean;
  readonly error?: string;
  readonly nodes?: Record<string, NodeStats>;
}

export class Router {
  readonly #process: LabProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #nextId = 1;

  private constructor(natbox: LabProcess) {
    this.#process = natbox;
    natbox.child.once('close', () => {
      for (const settle of this.#waiting.values()) settle({ ok: false, error: 'natbox has ended' });
    });
  }

  /** Starts natbox; resolves when all its interfaces are there. */
  static async start(lab: Lab, namespace: Namespace, binary: string, config: RouterConfig): Promise<Router> {
    const natbox = lab.spawn(namespace, [binary], { stdio: ['pipe', 'pipe', 'inherit'] });
    const router = new Router(natbox);
    const ready = new Promise<Reply>((resolve) => router.#waiting.set(0, resolve));
    router.#listen();
    natbox.child.stdin?.on('error', () => {}); // its end is reported by `exited`
    natbox.child.stdin?.write(`${JSON.stringify(config)}\n`);
    const reply = await ready;
    if (reply.ready !== true) throw new Error(`natbox: ${reply.error}`);
    return router;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Forgets a NAT's mappings, of one protocol or of all, and a firewall's flows. */
  async flush(node: string, protocol: 'udp' | 'tcp' | 'any' = 'any'): Promise<void> {
    await this.#ask({ op: 'flush', node, protocol });
  }

  /** Restarts a node's NAT: tables lost, nothing passes for `downMs`, and it may come back with other addresses. */
  async reboot(node: string, options: { downMs?: number; external?: readonly string[] } = {}): Promise<void> {
    await this.#ask({ op: 'reboot', node, ...options });
  }

  async setExternal(node: string, external: readonly string[]): Promise<void> {
    await this.#ask({ op: 'external', node, external });
  }

  /** Drops packets at the node's outer side, until `unblock`. `remote` holds addresses or prefixes; none means all. */
  async block(
    node: string,
    options: { direction?: Direction; remote?: readonly string[]; protocol?: 'udp' | 'tcp' | 'icmp' | 'any' } = {},
  ): Promise<void> {
    await this.#ask({ op: 'block', node, ...options });
  }

  /** Removes all of a node's blocks. */
  async unblock(node: string): Promise<void> {
    await this.#ask({ op: 'unblock', node });
  }

  async setUdpBlocked(node: string, blocked: boolean): Promise<void> {
    await this.#ask({ op: 'udp', node, blocked });
  }

  /** Changes the named properties of a node's link; packets already under way are not touched. */
  async setLink(node: string, set: LinkConfig, direction: Direction = 'both'): Promise<void> {
    await this.#ask({ op: 'link', node, direction, set });
  }

  async stats(): Promise<Record<string, NodeStats>> {
    return (await this.#ask({ op: 'stats' })).nodes ?? {};
  }

  async stop(): Promise<void> {
    this.#process.child.stdin?.end();
    await this.#process.exited;
  }

  #listen(): void {
    const { stdout } = this.#process.child;
    if (stdout === null) return;
    createInterface({ input: stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply;
      const id = reply.id ?? 0;
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
  }

  async #ask(message: Record<string, unknown>): Promise<Reply> {
    if (!this.#process.running) throw new Error('natbox has ended');
    const id = this.#nextId++;
    const answered = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    this.#process.child.stdin?.write(`${JSON.stringify({ id, ...message })}\n`);
    const reply = await answered;
    if (reply.ok !== true) throw new Error(`natbox: ${reply.error}`);
    return reply;
  }
}
