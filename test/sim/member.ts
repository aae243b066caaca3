/** One member of the world: a host, and the real engine on the simulator's ports. */

import type { Engine } from '../../engine/contract.ts';
import type { CryptoRequest, CryptoResult } from '../../engine/core/room/contract.ts';
import { createEngine } from '../../engine/engine.ts';
import type { EngineOptions } from '../../engine/options.ts';
import type { Path } from '../../engine/ports.ts';
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import type { Random } from './core/random.ts';
import { MainThread } from './core/thread.ts';
import type { Timeline } from './core/timeline.ts';
import type { Deliveries } from './deliveries.ts';
import { innerPacket } from './device/address.ts';
import { Reassembly } from './device/fragments.ts';
import { SimDevice } from './device.ts';
import type { Host } from './net/host.ts';
import { SimRendezvous, SimStore, SimTun, simClock, simCrypto, simInterfaces, simNat64, simRandom } from './ports.ts';
import type { SimServer } from './server.ts';

/** Kinds of path that need no server. */
const DIRECT = new Set(['lan', 'ipv6', 'direct']);

export interface MemberContext {
  timeline: Timeline;
  random: Random;
  servers: readonly SimServer[];
  deliveries: Deliveries;
  /** Its network has a NAT64. */
  nat64: boolean;
  compute: (request: CryptoRequest) => CryptoResult | Promise<CryptoResult>;
  /** Room name, password and the rest of what `up` is asked. */
  options: Partial<EngineOptions>;
}

export interface PathChange {
  at: number;
  peer: string;
  path: Path | null;
}

export class Member {
  readonly nick: string;
  readonly host: Host;
  readonly store = new SimStore();
  readonly tun = new SimTun();
  readonly log: string[] = [];
  /** Times of all pings that left, in every run of this member. */
  readonly probes: number[] = [];
  /** Of these, those that left as datagrams: a relay's are bytes of a stream that stands. */
  readonly datagramProbes: number[] = [];
  /** Changes of the path to a peer (by key in hex). */
  readonly pathChanges: PathChange[] = [];
  /** When this member's user said yes to a long shot. */
  readonly longShots: number[] = [];
  engine: Engine | null = null;
  device: SimDevice | null = null;
  thread: MainThread;
  /** When each process of this member began: its budget is its own. */
  readonly starts: number[] = [];
  ended: { code: string | null; message: string } | null = null;
  readonly #context: MemberContext;
  readonly #random: Random;
  readonly #machineKey: Uint8Array;
  #rendezvous: SimRendezvous | null = null;
  #key: string | null = null;
  #seen: { engine: Engine; at: number; eventsRun: number; snapshot: Snapshot } | null = null;

  constructor(nick: string, host: Host, context: MemberContext) {
    this.nick = nick;
    this.host = host;
    this.#context = context;
    this.#random = context.random.stream(`member ${nick}`);
    this.#machineKey = this.#random.bytes(32);
    this.thread = new MainThread(context.timeline);
  }

  /** Starts the engine; `change` overrides what the world asks of every member. */
  start(change: Partial<EngineOptions> = {}): void {
    const { timeline, servers, compute } = this.#context;
    const thread = new MainThread(timeline);
    this.starts.push(timeline.now());
    const random = this.#random.stream(`run ${this.starts.length}`);
    this.thread = thread;
    this.#key = null;
    this.ended = null;
    this.#rendezvous = new SimRendezvous(timeline, thread, this.host, servers);
    this.tun.addresses = [];
    const engine = createEngine(
      {
        clock: simClock(timeline, thread),
        random: simRandom(random),
        rendezvous: this.#rendezvous,
        crypto: simCrypto(timeline, thread, compute),
        interfaces: simInterfaces(this.host, thread),
        mapping: null,
        nat64: simNat64(this.host, this.#context.nat64),
        store: this.store,
        tun: this.tun,
        lan: null,
        createDevice: (privateKey) => this.#createDevice(privateKey, thread, random),
        log: (level, message) => this.log.push(`${timeline.now().toFixed(1)} ${level} ${message}`),
      },
      this.#engineOptions(change),
    );
    this.engine = engine;
    void this.#watchEnd(engine);
    timeline.touch();
  }

  async #watchEnd(engine: Engine): Promise<void> {
    const end = await engine.done;
    // An engine that was stopped and replaced is history.
    if (this.engine === engine) this.ended = end;
  }

  /** Leaves with a bye. */
  stop(): void {
    const { engine } = this;
    this.engine = null;
    if (engine !== null) this.#context.timeline.hold(engine.stop());
  }

  /** kill -9: nobody is told, but the kernel closes its sockets. */
  kill(): void {
    this.thread.stop();
    this.#rendezvous?.closeAll();
    void this.device?.close();
    this.engine = null;
  }

  get running(): boolean {
    return this.engine !== null && this.ended === null;
  }

  /** Built once between two events: whoever waits for something looks at every pair of members. */
  snapshot(): Snapshot {
    const { engine } = this;
    if (engine === null) throw new Error(`${this.nick} is not running`);
    const { eventsRun } = this.#context.timeline;
    const at = this.#context.timeline.now();
    const seen = this.#seen;
    if (seen?.engine === engine && seen.at === at && seen.eventsRun === eventsRun) return seen.snapshot;
    const snapshot = engine.snapshot();
    this.#seen = { engine, at, eventsRun, snapshot };
    return snapshot;
  }

  /** The other as this one sees it, or null while unknown. */
  peer(other: Member): PeerSnapshot | null {
    const key = other.#publicKey();
    return this.snapshot().peers.find((peer) => peer.publicKey === key) ?? null;
  }

  /** The same for a whole run, and a snapshot is dear. */
  #publicKey(): string | undefined {
    if (this.engine === null || this.#key === null) this.#key = this.snapshot().self?.publicKey ?? null;
    return this.#key ?? undefined;
  }

  /** What this member's user wants of a long shot with the other; rejects with a WarrenError. */
  async longShot(other: Member, action: 'start' | 'stop'): Promise<void> {
    if (action === 'start') this.longShots.push(this.#context.timeline.now());
    await this.engine?.command({ type: 'long-shot', peer: this.peer(other)?.publicKey ?? '', action });
    this.#context.timeline.touch();
  }

  connectedTo(other: Member): boolean {
    return this.peer(other)?.state === 'connected';
  }

  directTo(other: Member): boolean {
    return DIRECT.has(this.peer(other)?.path?.kind ?? '');
  }

  /** A game packet of `size` payload bytes, at least 4, to the virtual address that the other's interface has. */
  send(other: Member, size?: number): void {
    const { deliveries, timeline } = this.#context;
    const payload = deliveries.sent(this.nick, other.nick, timeline.now(), size);
    const [from, to] = [this.tun.ipv4, other.tun.ipv4];
    if (from && to && this.running) this.device?.writeTun(innerPacket(from, to, payload));
  }

  #createDevice(privateKey: Uint8Array, thread: MainThread, random: Random): SimDevice {
    const { timeline, deliveries } = this.#context;
    const device = new SimDevice({ timeline, random, host: this.host, thread, privateKey });
    device.onProbe = (via) => {
      this.probes.push(timeline.now());
      if (via !== 'external') this.datagramProbes.push(timeline.now());
    };
    device.onPath = (peer, path) => this.pathChanges.push({ at: timeline.now(), peer, path });
    const reassembly = new Reassembly();
    device.onPacket = (bytes) => {
      const payload = reassembly.join(bytes);
      if (payload !== null) deliveries.arrived(this.nick, payload, timeline.now());
    };
    this.device = device;
    return device;
  }

  #engineOptions(change: Partial<EngineOptions>): EngineOptions {
    return {
      room: 'friday night',
      password: 'correct horse battery staple',
      nick: this.nick,
      machineKey: this.#machineKey,
      servers: this.#context.servers.map((server) => `ws://${server.address}:8787`),
      create: true,
      ipv4: null,
      stun: [],
      staticCandidates: [],
      settings: { portMapping: true, hardNat: true, relayOnly: false, discovery: true },
      games: [],
      saveSetting: () => {},
      scryptN: 16,
      ...this.#context.options,
      ...change,
    };
  }
}
