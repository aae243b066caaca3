/**
 * The NAT report without a room: asks rendezvous servers which STUN endpoints they have, measures against those and
 * the ones that the user named, times each server, and lets the router open a port for as long as that takes. The world
 * comes in by ports, as for the engine.
 */
import { WarrenError } from '../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/limits.ts';
import type { NatReport } from '../protocol/nat.ts';
import { Budget } from './core/budget.ts';
import { bytesToHex } from './core/crypto/bytes.ts';
import type { StunServer } from './core/nat/contract.ts';
import { decodeBindingResponse, encodeBindingRequest } from './core/stun/binding.ts';
import { Mappings } from './mappings.ts';
import { Nat64, Nat64Device } from './nat64.ts';
import { familyOf, Nats } from './nats.ts';
import type {
  ClockPort,
  DevicePort,
  Endpoint,
  HostAddress,
  Nat64Port,
  PortMappingPort,
  RandomPort,
  RendezvousPort,
  SocketId,
} from './ports.ts';
import { Servers } from './servers.ts';

export interface NetcheckPorts {
  clock: ClockPort;
  random: RandomPort;
  rendezvous: RendezvousPort;
  /** Null: the router is not asked. */
  mapping: PortMappingPort | null;
  /** Null: IPv4 is reached over IPv4 or not at all. */
  nat64: Nat64Port | null;
  /** A device with a memory TUN; its owner closes it. */
  device: DevicePort;
}

export interface NetcheckOptions {
  /** Rendezvous URLs. */
  servers: string[];
  /** Resolved `--stun` servers. */
  stun: StunServer[];
  addresses: HostAddress[];
  /** Ends it early with what is known. */
  signal: AbortSignal;
  /** Default 12 s: what discovery needs when every answer is lost, and a server that never answers. */
  timeoutMs?: number;
}

export interface ServerLatency {
  url: string;
  /** One round trip over the open WebSocket; null when no welcome came. */
  rttMs: number | null;
  /** Why there was none: a code of RendezvousHandlers.closed or of the server; null while there is nothing to say. */
  error: string | null;
}

export interface StunLatency {
  /** `ip:port`. */
  endpoint: string;
  rttMs: number | null;
}

export interface NetcheckResult {
  nat: NatReport;
  servers: ServerLatency[];
  stun: StunLatency[];
}

const DEFAULT_TIMEOUT_MS = 12_000;
/** STUN round trips are sent again at these times, in ms, as long as no answer has come. */
const PROBE_OFFSETS_MS = [0, 200, 600, 1_400] as const;
const POLL_MS = 50;
/** What three protocols need to answer, two of them after a lost datagram. */
const MAPPING_MS = 4_000;

/** Rejects with WarrenError('no-server') when servers were named, none answered, and there was no `--stun` to ask. */
export async function netcheck(ports: NetcheckPorts, options: NetcheckOptions): Promise<NetcheckResult> {
  const run = new Netcheck(ports, options);
  try {
    return await run.result();
  } finally {
    await run.stop();
  }
}

interface ServerState {
  url: string;
  openedAt: number | null;
  rttMs: number | null;
  error: string | null;
}

class Netcheck {
  readonly #ports: NetcheckPorts;
  readonly #options: NetcheckOptions;
  readonly #nat64: Nat64;
  readonly #nats: Nats;
  readonly #mappings: Mappings;
  readonly #servers: Servers;
  readonly #states: ServerState[];
  readonly #probes: StunProbes;
  #known = '';
  #mapsBy = 0;

  constructor(ports: NetcheckPorts, options: NetcheckOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#states = options.servers.map((url) => ({ url, openedAt: null, rttMs: null, error: null }));
    this.#nat64 = new Nat64({ ...ports, port: ports.nat64, log: () => {}, changed: () => this.#anew() });
    const device = new Nat64Device(ports.device, this.#nat64);
    this.#nats = new Nats(ports, device, new Budget(), options.addresses, () => {}, false);
    const portOf = (wanted: 4 | 6) => device.sockets().find(({ family }) => family === wanted)?.port ?? null;
    this.#mappings = new Mappings(ports.mapping, { v4: portOf(4), v6: portOf(6) }, () => {});
    this.#probes = new StunProbes({ ...ports, device });
    this.#servers = new Servers(ports.rendezvous, {
      open: (server) => this.#hello(server),
      message: (server, message) => {
        if (message.t === 'welcome') this.#welcome(server);
        else if (message.t === 'error') this.#end(server, message.code);
      },
      signal: () => {},
      relayed: () => {},
      closed: (server, code) => this.#end(server, code),
    });
    device.onEvents((batch) => {
      for (const event of batch) {
        if (event.type !== 'stun') continue;
        this.#probes.answered(event.bytes, event.at);
        this.#nats.stun(event);
      }
    });
  }

  async result(): Promise<NetcheckResult> {
    const { clock } = this.#ports;
    this.#mapsBy = clock.now() + MAPPING_MS;
    this.#mappings.set(this.#ports.mapping !== null);
    const deadline = clock.now() + (this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    this.#nat64.look();
    this.#measure();
    this.#options.servers.forEach((url, server) => this.#servers.connect(server, url));
    while (!this.#finished() && clock.now() < deadline && !this.#options.signal.aborted) await this.#wait(POLL_MS);
    const reached = this.#states.some((state) => state.rttMs !== null);
    if (!reached && this.#options.stun.length === 0) {
      const causes = this.#states.map((state) => `${state.url}: ${state.error ?? 'no answer'}`);
      throw new WarrenError('no-server', `no rendezvous server answered (${causes.join('; ')})`);
    }
    return {
      nat: { ...this.#mappings.describe(this.#nats.report()), nat64: this.#nat64.active },
      servers: this.#states.map(({ url, rttMs, error }) => ({ url, rttMs, error })),
      stun: this.#probes.results(),
    };
  }

  /** Resolves when the router has closed what it opened. */
  async stop(): Promise<void> {
    this.#nat64.stop();
    this.#nats.stop();
    this.#servers.close();
    this.#probes.stop();
    await this.#mappings.stop();
  }

  /** Every server has answered or failed, and discovery has said what it can. */
  #finished(): boolean {
    const told = this.#states.every((state) => state.rttMs !== null || state.error !== null);
    return told && this.#nats.settled() && this.#probes.settled() && this.#hasMapping();
  }

  /** Or has had the time for one: a router that does not answer is no reason to wait. */
  #hasMapping(): boolean {
    return this.#mappings.settled(this.#nats.report().ipv6) || this.#ports.clock.now() >= this.#mapsBy;
  }

  #hello(server: number): void {
    const state = this.#states[server];
    if (!state) return;
    state.openedAt = this.#ports.clock.now();
    // A topic of random bits is a room that nobody else is in.
    const topic = bytesToHex(this.#ports.random(32));
    const session = bytesToHex(this.#ports.random(16));
    this.#servers.send(server, { t: 'hello', versions: [PROTOCOL_VERSION], topic, session });
  }

  #welcome(server: number): void {
    const state = this.#states[server];
    if (!state || state.openedAt === null) return;
    state.rttMs = this.#ports.clock.now() - state.openedAt;
    this.#nats.tcpReachable();
    this.#measure();
  }

  #end(server: number, code: string): void {
    const state = this.#states[server];
    if (state && state.rttMs === null) state.error ??= code;
  }

  /** Asks every STUN server that is known by now; the same list twice changes nothing. */
  #measure(): void {
    const known = [...this.#servers.stunServers(), ...this.#options.stun];
    const stun = known.map((server) => this.#nat64.server(server));
    const list = JSON.stringify(stun);
    if (stun.length === 0 || list === this.#known) return;
    this.#known = list;
    this.#nats.setServers(stun);
    for (const { primary } of stun) this.#probes.start(primary);
  }

  /** What was asked before the NAT64 was known went nowhere. */
  #anew(): void {
    this.#measure();
    this.#nats.networkChanged(this.#options.addresses);
  }

  #wait(ms: number): Promise<void> {
    const { clock } = this.#ports;
    return new Promise((resolve) => {
      clock.at(clock.now() + ms, resolve);
    });
  }
}

interface Probe {
  endpoint: Endpoint;
  /** Transaction id in hex to when it was sent. */
  sent: Map<string, number>;
  rttMs: number | null;
  /** Sends that are still to come. */
  pending: (() => void)[];
  over: boolean;
}

/** Round trips to STUN servers, each send with an id of its own, so that an answer is never taken for another's. */
class StunProbes {
  readonly #ports: NetcheckPorts;
  readonly #probes: Probe[] = [];

  constructor(ports: NetcheckPorts) {
    this.#ports = ports;
  }

  start(endpoint: Endpoint): void {
    if (this.#probes.some((probe) => name(probe.endpoint) === name(endpoint))) return;
    const { clock, device } = this.#ports;
    const socket = device.sockets().find(({ family }) => family === familyOf(endpoint.ip))?.id;
    if (socket === undefined) return;
    const probe: Probe = { endpoint, sent: new Map(), rttMs: null, pending: [], over: false };
    const begun = clock.now();
    const last = PROBE_OFFSETS_MS[PROBE_OFFSETS_MS.length - 1] ?? 0;
    for (const offset of PROBE_OFFSETS_MS) {
      probe.pending.push(clock.at(begun + offset, () => this.#send(probe, socket)));
    }
    probe.pending.push(
      clock.at(begun + last + 1_000, () => {
        probe.over = true;
      }),
    );
    this.#probes.push(probe);
  }

  answered(bytes: Uint8Array, at: number): void {
    const decoded = decodeBindingResponse(bytes);
    if (decoded.kind !== 'ok') return;
    const id = bytesToHex(decoded.response.transactionId);
    for (const probe of this.#probes) {
      const sentAt = probe.sent.get(id);
      if (sentAt === undefined || probe.rttMs !== null) continue;
      probe.rttMs = Math.max(0, at - sentAt);
      this.#finish(probe);
    }
  }

  settled(): boolean {
    return this.#probes.every((probe) => probe.over);
  }

  results(): StunLatency[] {
    return this.#probes.map(({ endpoint, rttMs }) => ({ endpoint: name(endpoint), rttMs }));
  }

  stop(): void {
    for (const probe of this.#probes) this.#finish(probe);
  }

  #send(probe: Probe, socket: SocketId): void {
    const transactionId = this.#ports.random(12);
    probe.sent.set(bytesToHex(transactionId), this.#ports.clock.now());
    this.#ports.device.send(socket, probe.endpoint, encodeBindingRequest({ transactionId }));
  }

  #finish(probe: Probe): void {
    probe.over = true;
    for (const cancel of probe.pending) cancel();
    probe.pending = [];
  }
}

function name({ ip, port }: Endpoint): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
