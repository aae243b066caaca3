/**
 * A server inside the app, for "host on this PC": on the usual ports where they are free, with the URLs under which
 * friends may reach it. Home computers move between networks and stand behind routers, so the URLs change while it runs.
 */
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { WarrenError } from '../protocol/errors.ts';
import { ROOM_LIMITS } from '../protocol/limits.ts';
import { DEFAULT_STUN_PORT, type RunningServer } from './options.ts';
import { startServer } from './server.ts';

export const DEFAULT_PORT = 7868;

/** An endpoint on the outer side of a router. */
export interface ExternalEndpoint {
  ip: string;
  port: number;
}

/** Asks the router to lead an external port here (engine/ports.ts has the whole of it). */
export interface PortMapper {
  /** `changed` follows each change of the view. */
  open(
    transport: 'udp' | 'tcp',
    internalPort: number,
    changed: () => void,
  ): {
    /** `external` while the mapping is there. */
    view(): { state: string; external?: ExternalEndpoint };
    close(): Promise<void>;
  };
}

export interface HostedOptions {
  /** Null: no port is mapped. */
  portMapper: PortMapper | null;
  /** Replaced by tests. */
  interfaces?: typeof networkInterfaces;
}

/** `HostedServer` of engine/session/contract.ts, which this room does not know. */
export interface Hosted {
  readonly urls: readonly string[];
  readonly localUrl: string;
  readonly reachable: boolean | null;
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

/** A computer that changes networks should tell its new address about as soon as a person asks for it. */
const LOOK_MS = 3_000;
/** Friends who are inside go on over their own paths; there is nothing to wait for. */
const DRAIN_MS = 200;

/** Rejects with WarrenError as `startServer` does. */
export async function startHosted(options: HostedOptions): Promise<Hosted> {
  return new HostedHere(await startOnFreePorts(), options);
}

/** The port of the one service may be taken while that of the other is free. */
async function startOnFreePorts(): Promise<RunningServer> {
  for (const port of [DEFAULT_PORT, 0]) {
    for (const stunPort of [DEFAULT_STUN_PORT, 0]) {
      try {
        return await startServer({ port, stunPort, drainMs: DRAIN_MS });
      } catch (error) {
        if (!(error instanceof WarrenError) || error.code !== 'port-taken') throw error;
      }
    }
  }
  throw new WarrenError('port-taken', 'no port is free');
}

class HostedHere implements Hosted {
  readonly localUrl: string;
  readonly #server: RunningServer;
  readonly #interfaces: typeof networkInterfaces;
  readonly #listeners = new Set<() => void>();
  readonly #mappings: ReturnType<PortMapper['open']>[] = [];
  readonly #timer: NodeJS.Timeout;
  #external: ExternalEndpoint | null = null;
  #urls: readonly string[];
  #closing: Promise<void> | null = null;

  constructor(server: RunningServer, { portMapper, interfaces = networkInterfaces }: HostedOptions) {
    this.#server = server;
    this.#interfaces = interfaces;
    this.localUrl = `ws://127.0.0.1:${server.port}`;
    this.#urls = this.#look();
    this.#timer = setInterval(() => this.#update(this.#external), LOOK_MS);
    this.#timer.unref();
    if (portMapper === null) return;
    const tcp = portMapper.open('tcp', server.port, () => this.#update(tcp.view().external ?? null));
    // STUN beside it, under the same numbers: clients learn them from the server, which knows only its own. Both: with one port
    // a friend outside learns an endpoint, and nothing of the own NAT.
    const { port, secondPort } = server.stun;
    const udp = [port, secondPort].map((stunPort) => portMapper.open('udp', stunPort, () => {}));
    this.#mappings.push(tcp, ...udp);
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  /** A mapping on a public address is as good as known; without one a router may or may not forward by hand. */
  get reachable(): boolean | null {
    return this.#external === null ? null : isPublic(this.#external.ip);
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#listeners.clear();
    await Promise.all([...this.#mappings.map((mapping) => mapping.close()), this.#server.close()]);
  }

  #update(external: ExternalEndpoint | null): void {
    const before = JSON.stringify([this.#urls, this.#external]);
    this.#external = external;
    this.#urls = this.#look();
    if (JSON.stringify([this.#urls, external]) === before) return;
    for (const listener of this.#listeners) listener();
  }

  #look(): string[] {
    const own = hostAddresses(this.#interfaces()).map((ip) => ({ ip, port: this.#server.port }));
    const all = this.#external === null ? own : [this.#external, ...own];
    return [...new Set(all.map(urlOf))].slice(0, ROOM_LIMITS.servers);
  }
}

function urlOf({ ip, port }: ExternalEndpoint): string {
  return `ws://${isIPv4(ip) ? ip : `[${ip}]`}:${port}`;
}

/** Warren's own tunnel must not lead to its own server. */
const OWN_INTERFACE = /^warren\d{0,2}$/;
/** Bridges of virtual machines and containers: hardly a friend is there. Other VPNs may well lead to one. */
const BRIDGE = /^(?:docker|br-|virbr|vmnet|vboxnet|veth)/i;

/** Public IPv4 is 0, private addresses and bridges come after. */
const PUBLIC_IPV6 = 1;

/**
 * This machine's addresses that another may dial, best first: public, then private, IPv4 before IPv6 in each. Of public
 * IPv6 only one: a host has several in each network, all of the same use, and an invite carries few URLs.
 */
export function hostAddresses(interfaces: ReturnType<typeof networkInterfaces>): string[] {
  const found = Object.entries(interfaces).flatMap(([name, addresses]) => {
    if (OWN_INTERFACE.test(name)) return [];
    return (addresses ?? [])
      .filter(({ address, internal }) => !internal && !/^(?:fe[89ab]|169\.254\.)/i.test(address))
      .map(({ address }) => ({ address, rank: rankOf(address, BRIDGE.test(name)) }));
  });
  return found
    .sort((a, b) => a.rank - b.rank || (a.address < b.address ? -1 : 1))
    .filter(({ rank }, index, all) => rank !== PUBLIC_IPV6 || all[index - 1]?.rank !== PUBLIC_IPV6)
    .map(({ address }) => address);
}

function rankOf(address: string, bridge: boolean): number {
  const rank = (isPublic(address) ? 0 : 2) + (isIPv4(address) ? 0 : PUBLIC_IPV6);
  return bridge ? rank + 4 : rank;
}

/** RFC 1918, RFC 6598, loopback, link-local; unique local IPv6 (RFC 4193). */
function isPublic(ip: string): boolean {
  if (!isIPv4(ip)) return /^[23]/.test(ip);
  return !/^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
    ip,
  );
}
