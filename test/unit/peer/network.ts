/**
 * A network for two peer cores: a LAN each (or one for both), a NAT each, a relay, delays, and virtual time. The part of
 * the device that matters here is played too: pings are answered at once, also while a host's main thread is blocked.
 */

import type { CorePath, Endpoint, PeerAction, PeerCore, PeerEvent, Via } from '../../../engine/core/peer/contract.ts';
import { createPeer } from '../../../engine/core/peer/peer.ts';
import type { FilteringBehaviour, MappingBehaviour, NatReport } from '../../../protocol/nat.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';

export type Filter = Exclude<FilteringBehaviour, 'unknown'>;
export type Mapping = Exclude<MappingBehaviour, 'unknown' | 'none'>;

/** An ordinary ping. */
const PING_BYTES = 60;
const PRIVATE = /^(10\.|192\.168\.|fd)/;

export class Nat {
  readonly ip: string;
  mapping: Mapping;
  filter: Filter;
  /** Drops whatever comes from outside, answers included. */
  blocked = false;
  #nextPort: number;
  readonly #out = new Map<string, number>();
  readonly #in = new Map<number, { inside: Endpoint; open: Set<string> }>();

  constructor(ip: string, mapping: Mapping, filter: Filter, firstPort = 20_000) {
    this.ip = ip;
    this.mapping = mapping;
    this.filter = filter;
    this.#nextPort = firstPort;
  }

  outbound(inside: Endpoint, to: Endpoint): Endpoint {
    const scope = { 'endpoint-independent': '', 'address-dependent': to.ip, 'address-and-port-dependent': text(to) };
    const key = `${text(inside)} ${scope[this.mapping]}`;
    let port = this.#out.get(key);
    if (port === undefined) {
      port = this.#nextPort;
      this.#nextPort += 7;
      this.#out.set(key, port);
      this.#in.set(port, { inside, open: new Set() });
    }
    this.#in.get(port)?.open.add(this.#opens(to));
    return { ip: this.ip, port };
  }

  inbound(port: number, from: Endpoint): Endpoint | null {
    const entry = this.#in.get(port);
    if (this.blocked || entry === undefined || !entry.open.has(this.#opens(from))) return null;
    return entry.inside;
  }

  /** Every mapping is gone and new ones get other ports. */
  reboot(): void {
    this.#out.clear();
    this.#in.clear();
    this.#nextPort += 1_000;
  }

  #opens(endpoint: Endpoint): string {
    if (this.filter === 'endpoint-independent') return '';
    return this.filter === 'address-dependent' ? endpoint.ip : text(endpoint);
  }
}

export interface HostOptions {
  lan: string;
  v4: Endpoint | null;
  v6?: Endpoint;
  /** Null: the IPv4 address is public. */
  nat: Nat | null;
  relayOnly?: boolean;
  report?: Partial<NatReport>;
}

export interface Host extends HostOptions {
  name: string;
  core: PeerCore;
  path: CorePath | null;
  duplicate: CorePath | null;
  changes: Extract<PeerAction, { type: 'path-changed' }>[];
  sentPings: { at: number; via: Via; seq: number; purpose: 'check' | 'probe' }[];
  sending: boolean;
  /** Data packets sent so far, and the first arrival of each by its number. */
  dataSent: number;
  received: Map<number, number>;
  blockedUntil: number;
  inbox: PeerEvent[];
  wakeAt: number;
  txPackets: number;
}

interface Job {
  at: number;
  run: () => void;
}

export interface NetworkOptions {
  oneWayMs?: number;
  relayOneWayMs?: number;
  /** Whether a signal is lost, asked once for each. */
  losesSignal?: () => boolean;
}

export class Network {
  now = 1_000;
  readonly a: Host;
  readonly b: Host;
  relayUp = true;
  /** Whether a direct datagram is lost. */
  loses: (from: Host) => boolean = () => false;
  /** Longest IP packet that leaves a host on a direct way. */
  mtu: (from: Host) => number = () => Number.POSITIVE_INFINITY;
  oneWayMs: number;
  relayOneWayMs: number;
  readonly signals: { at: number; from: string; message: unknown }[] = [];
  readonly #losesSignal: () => boolean;
  readonly #jobs: Job[] = [];

  constructor(a: HostOptions, b: HostOptions, options: NetworkOptions = {}) {
    this.oneWayMs = options.oneWayMs ?? 20;
    this.relayOneWayMs = options.relayOneWayMs ?? 30;
    this.#losesSignal = options.losesSignal ?? (() => false);
    this.a = this.#host('a', a, true);
    this.b = this.#host('b', b, false);
  }

  #host(name: string, options: HostOptions, lower: boolean): Host {
    const families: (4 | 6)[] = options.v6 ? [4, 6] : [4];
    const core = createPeer({
      lower,
      relayOnly: options.relayOnly ?? false,
      families,
    });
    return {
      ...options,
      name,
      core,
      path: null,
      duplicate: null,
      changes: [],
      sentPings: [],
      sending: false,
      dataSent: 0,
      received: new Map(),
      blockedUntil: 0,
      inbox: [],
      wakeAt: Number.POSITIVE_INFINITY,
      txPackets: 0,
    };
  }

  /** Both sides meet: relay up, handshake done, candidates known. */
  meet(): void {
    for (const host of [this.a, this.b]) {
      this.feed(host, { type: 'relay', up: true, host: 'relay.example' });
      this.feed(host, { type: 'handshake', at: this.now });
      this.gather(host);
    }
  }

  /** What STUN would have found, given to the core. */
  gather(host: Host): void {
    const candidates: Candidate[] = [];
    if (host.v4) candidates.push({ kind: 'lan', ...host.v4 });
    if (host.v6) candidates.push({ kind: 'ipv6', ...host.v6 });
    const stun = { ip: '198.51.100.1', port: 3478 };
    if (host.nat && host.v4) candidates.push({ kind: 'reflexive', ...host.nat.outbound(host.v4, stun) });
    this.feed(host, { type: 'local', candidates, nat: { ...UNKNOWN_NAT, ...host.report } });
  }

  other(host: Host): Host {
    return host === this.a ? this.b : this.a;
  }

  feed(host: Host, event: PeerEvent): void {
    if (this.now < host.blockedUntil) {
      host.inbox.push(event);
      return;
    }
    for (const action of host.core.handle(this.now, event)) this.#act(host, action);
  }

  /** The main thread of a host does nothing for a while; its device goes on. */
  block(host: Host, ms: number): void {
    host.blockedUntil = this.now + ms;
    this.#later(ms, () => {
      for (const event of host.inbox.splice(0)) this.feed(host, event);
      this.#tick(host);
    });
  }

  setRelay(up: boolean): void {
    this.relayUp = up;
    for (const host of [this.a, this.b]) this.feed(host, { type: 'relay', up, host: 'relay.example' });
  }

  /** Data every 20 ms from now on; its counters are told each 250 ms. */
  startTraffic(host: Host): void {
    host.sending = true;
    const send = () => {
      if (!host.sending) return;
      host.txPackets += 1;
      host.dataSent += 1;
      for (const path of [host.path, host.duplicate]) if (path) this.#data(host, path, host.dataSent);
      this.#later(20, send);
    };
    const sample = () => {
      if (!host.sending) return;
      const txPackets = host.txPackets;
      host.txPackets = 0;
      if (txPackets > 0) this.feed(host, { type: 'traffic', txPackets, rxPackets: 0, at: this.now });
      this.#later(250, sample);
    };
    send();
    this.#later(137, sample);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const job = this.#jobs[0];
      if (job === undefined || job.at > end) break;
      this.#jobs.shift();
      this.now = job.at;
      job.run();
    }
    this.now = end;
  }

  /** Runs until the condition holds; how long it took. Throws after `limitMs`. */
  until(condition: () => boolean, limitMs: number): number {
    const start = this.now;
    while (!condition()) {
      if (this.now - start >= limitMs) throw new Error(`not within ${limitMs} ms`);
      this.run(1);
    }
    return this.now - start;
  }

  bothDirect(): boolean {
    return [this.a, this.b].every((host) => host.core.view(this.now).direct);
  }

  kinds(): (string | undefined)[] {
    return [this.a, this.b].map((host) => host.core.view(this.now).path?.kind);
  }

  #act(host: Host, action: PeerAction): void {
    switch (action.type) {
      case 'ping':
        host.sentPings.push({ at: this.now, via: action.via, seq: action.seq, purpose: action.purpose });
        return this.#ping(host, action.seq, action.via, action.size ?? PING_BYTES);
      case 'path':
        host.path = action.path;
        host.duplicate = action.duplicate;
        return;
      case 'path-changed':
        host.changes.push(action);
        return;
      case 'wake':
        if (action.at <= this.now) throw new Error(`${host.name} asks to be woken at ${action.at}, now is ${this.now}`);
        host.wakeAt = action.at;
        return this.#later(Math.max(0, action.at - this.now), () => {
          if (host.wakeAt === action.at && this.now >= host.blockedUntil) this.#tick(host);
        });
      case 'send':
        this.signals.push({ at: this.now, from: host.name, message: action.message });
        if (!this.relayUp || this.#losesSignal()) return;
        return this.#later(this.relayOneWayMs, () => {
          this.feed(this.other(host), { type: 'message', message: action.message });
        });
    }
  }

  #tick(host: Host): void {
    this.feed(host, { type: 'tick' });
  }

  #later(ms: number, run: () => void): void {
    const at = this.now + ms;
    this.#jobs.splice(this.#jobs.findLastIndex((job) => job.at <= at) + 1, 0, { at, run });
  }

  #ping(host: Host, seq: number, via: Via, size: number): void {
    const sentAt = this.now;
    const peer = this.other(host);
    if (via !== 'external' && size + headersTo(via.remote) > this.mtu(host)) return;
    this.#carry(host, via, (arrived) => {
      this.feed(peer, { type: 'ping', via: arrived, seq, at: this.now });
      const observed = arrived === 'external' ? null : arrived.remote;
      this.#carry(peer, arrived, (back) => {
        const at = this.now;
        this.feed(host, { type: 'pong', via: back, seq, observed, rttMs: at - sentAt, at });
      });
    });
  }

  #data(host: Host, path: CorePath, number: number): void {
    const via = path.kind === 'external' ? path.kind : { socket: path.socket, remote: path.to };
    const peer = this.other(host);
    this.#carry(host, via, () => {
      if (!peer.received.has(number)) peer.received.set(number, this.now);
    });
  }

  /** Takes one datagram to the other host; `arrive` gets the way it came. The relay needs live main threads. */
  #carry(host: Host, via: Via, arrive: (via: Via) => void): void {
    const peer = this.other(host);
    if (via === 'external') {
      if (!this.relayUp || this.now < host.blockedUntil) return;
      return this.#later(this.relayOneWayMs, () => {
        if (this.relayUp && this.now >= peer.blockedUntil) arrive('external');
      });
    }
    if (this.loses(host)) return;
    const socket = via.socket;
    const route = socket === 1 ? this.#route6(host, peer, via.remote) : this.#route4(host, peer, via.remote);
    if (route !== null)
      this.#later(route.ms, () => {
        const from = route.admit();
        if (from !== null) arrive({ socket, remote: from });
      });
  }

  #route6(host: Host, peer: Host, to: Endpoint): { ms: number; admit: () => Endpoint | null } | null {
    const { v6 } = host;
    if (!v6 || !peer.v6 || text(peer.v6) !== text(to)) return null;
    return { ms: this.oneWayMs, admit: () => v6 };
  }

  #route4(host: Host, peer: Host, to: Endpoint): { ms: number; admit: () => Endpoint | null } | null {
    const { v4 } = host;
    if (!v4 || !peer.v4) return null;
    const peerV4 = peer.v4;
    if (PRIVATE.test(to.ip)) {
      return host.lan === peer.lan && text(peerV4) === text(to) ? { ms: 1, admit: () => v4 } : null;
    }
    const from = host.nat ? host.nat.outbound(v4, to) : v4;
    return {
      ms: this.oneWayMs,
      admit: () => {
        if (!peer.nat) return text(peerV4) === text(to) ? from : null;
        if (peer.nat.ip !== to.ip) return null;
        const inside = peer.nat.inbound(to.port, from);
        return inside !== null && text(inside) === text(peerV4) ? from : null;
      },
    };
  }
}

function headersTo({ ip }: Endpoint): number {
  return ip.includes(':') ? 48 : 28;
}

function text({ ip, port }: Endpoint): string {
  return `${ip} ${port}`;
}

/** A home behind a NAT of its own. */
export function home(index: 1 | 2, mapping: Mapping, filter: Filter): HostOptions {
  return {
    lan: `lan${index}`,
    v4: { ip: `192.168.${index}.10`, port: 51_820 },
    nat: new Nat(`203.0.113.${index}`, mapping, filter),
    report: { mapping, filtering: filter },
  };
}

/** True with this probability, the same sequence for the same seed. */
export function chance(probability: number, seed: number): () => boolean {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 < probability;
  };
}
