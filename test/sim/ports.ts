/** The engine's ports in virtual time (engine/ports.ts); the device is in device.ts. */

import type { CryptoRequest, CryptoResult } from '../../engine/core/room/contract.ts';
import type {
  ClockPort,
  CryptoPort,
  InterfacesPort,
  Nat64Port,
  RandomPort,
  RendezvousConnection,
  RendezvousHandlers,
  RendezvousPort,
  StorePort,
  TunPort,
} from '../../engine/ports.ts';
import {
  type BinaryFrame,
  type ClientMessage,
  decodeFrame,
  encodeFrame,
  type Hello,
  type ServerMessage,
  serverMessage,
} from '../../protocol/server.ts';
import { digest, type Random } from './core/random.ts';
import type { MainThread } from './core/thread.ts';
import type { Timeline } from './core/timeline.ts';
import type { Host } from './net/host.ts';
import { arrival, Stream, type StreamEnd, type StreamMessage, trace } from './net/stream.ts';
import { PING, PONG, type SimServer } from './server.ts';

/** Unix time when the world begins: 2026-01-01. */
export const WORLD_EPOCH = 1_767_225_600_000;

export function simClock(timeline: Timeline, thread: MainThread): ClockPort {
  return {
    now: () => timeline.now(),
    epoch: () => WORLD_EPOCH + timeline.now(),
    at: (at, callback) => thread.at(at, callback),
  };
}

export function simRandom(random: Random): RandomPort {
  return (length) => random.bytes(length);
}

export function simInterfaces(host: Host, thread: MainThread): InterfacesPort {
  return {
    addresses: () => host.addresses(),
    watch: (changed) => host.watchAddresses(() => thread.run(changed)),
  };
}

/** AAAA of `ipv4only.arpa` by the well-known prefix (RFC 7050, 8.2). */
const NAT64_ANSWER = ['64:ff9b::c000:aa', '64:ff9b::c000:ab'];

/** `translated`: the host's network has a NAT64, and a resolver that knows. */
export function simNat64(host: Host, translated: boolean): Nat64Port {
  return {
    addresses: async () => (translated && host.addresses().every(({ family }) => family === 6) ? NAT64_ANSWER : []),
  };
}

/** Remembers what it was told last. */
export class SimTun implements TunPort {
  readonly name = null;
  readonly way = 'no-interface';
  addresses: string[] = [];
  routes: string[] = [];

  /** The interface's IPv4 address, once it has one. */
  get ipv4(): string | undefined {
    return this.addresses.find((cidr) => !cidr.includes(':'))?.split('/')[0];
  }

  async configure(config: { addresses: string[]; routes: string[] }): Promise<void> {
    this.addresses = config.addresses;
    this.routes = config.routes;
  }
}

/** Survives the engine, as a disk does. */
export class SimStore implements StorePort {
  #bytes: Uint8Array | null = null;

  load(): Uint8Array | null {
    return this.#bytes?.slice() ?? null;
  }

  save(bytes: Uint8Array): void {
    this.#bytes = bytes.slice();
  }
}

/** What the jobs take on an ordinary laptop, milliseconds. */
const COST_MS = { scrypt: 160, 'cpace-start': 3, 'cpace-finish': 4 } as const;

/**
 * Slow work that takes virtual time. `compute` is the real thing or `fakeCrypto`. CPace jobs queue for one worker;
 * scrypt has threads of its own.
 */
export function simCrypto(
  timeline: Timeline,
  thread: MainThread,
  compute: (request: CryptoRequest) => CryptoResult | Promise<CryptoResult>,
): CryptoPort {
  let workerFree = 0;
  let open = true;
  return {
    run: (request) =>
      new Promise((resolve) => {
        const begin = request.kind === 'scrypt' ? timeline.now() : Math.max(workerFree, timeline.now());
        const done = begin + COST_MS[request.kind];
        if (request.kind !== 'scrypt') workerFree = done;
        timeline.at(done, () => {
          const work = Promise.resolve(compute(request));
          timeline.hold(work.then((result) => thread.run(() => (open ? resolve(result) : undefined))));
        });
      }),
    close: () => {
      open = false;
    },
  };
}

/**
 * Both sides get equal keys exactly when password, context, shares and associated data agree: CPace's promise, without
 * its secrecy.
 */
export function fakeCrypto(request: CryptoRequest): CryptoResult {
  switch (request.kind) {
    case 'scrypt':
      return { kind: 'scrypt', key: digest(request.length, 'scrypt', request.password, request.salt, request.n) };
    case 'cpace-start': {
      const generator = digest(16, 'generator', request.prs, request.ci, request.sid);
      const scalar = new Uint8Array([...generator, ...digest(16, 'scalar', request.random)]);
      return { kind: 'cpace-start', scalar, share: digest(32, 'share', scalar) };
    }
    case 'cpace-finish': {
      const { own, peer, role, scalar, sid } = request;
      if (peer.share.every((byte) => byte === 0)) return { kind: 'failed' };
      const [first, second] = role === 'initiator' ? [own, peer] : [peer, own];
      const generator = scalar.subarray(0, 16);
      const transcript = [first.share, first.ad, second.share, second.ad];
      return { kind: 'cpace-finish', isk: digest(64, 'isk', generator, sid, ...transcript) };
    }
  }
}

/** The real client's figures (engine/net/rendezvous). */
const CONNECT_TIMEOUT_MS = 10_000;
const CHECK_TIMEOUT_MS = 1_500;
const PING_INTERVAL_MS = 5_000;

/** Connections of one host to the servers of the world, by the host name in the URL. */
export class SimRendezvous implements RendezvousPort {
  readonly #timeline: Timeline;
  readonly #thread: MainThread;
  readonly #host: Host;
  readonly #servers: readonly SimServer[];
  readonly #connections: SimConnection[] = [];

  constructor(timeline: Timeline, thread: MainThread, host: Host, servers: readonly SimServer[]) {
    this.#timeline = timeline;
    this.#thread = thread;
    this.#host = host;
    this.#servers = servers;
  }

  connect(url: string, handlers: RendezvousHandlers, hello?: Hello): RendezvousConnection {
    const connection = new SimConnection(this.#timeline, this.#thread, this.#host, this.#server(url), handlers, hello);
    this.#connections.push(connection);
    return connection;
  }

  /** The process ended: its kernel closes what it left open. */
  closeAll(): void {
    for (const connection of this.#connections) connection.close();
  }

  #server(url: string): SimServer | null {
    const { hostname } = new URL(url);
    return this.#servers.find((server) => server.address === hostname) ?? null;
  }
}

class SimConnection implements RendezvousConnection {
  readonly #timeline: Timeline;
  readonly #thread: MainThread;
  readonly #handlers: RendezvousHandlers;
  readonly #hello: Hello | undefined;
  readonly #host: Host;
  /** Own address that it left by. */
  #local = '';
  #stream: StreamEnd | null = null;
  #phase: 'connecting' | 'open' | 'welcomed' | 'closed' = 'connecting';
  #heardAt = 0;
  #refused = false;
  #cancel: () => void = () => {};
  #cancelCheck: () => void = () => {};

  constructor(
    timeline: Timeline,
    thread: MainThread,
    host: Host,
    server: SimServer | null,
    handlers: RendezvousHandlers,
    hello: Hello | undefined,
  ) {
    this.#timeline = timeline;
    this.#thread = thread;
    this.#handlers = handlers;
    this.#hello = hello;
    this.#host = host;
    this.#connect(host, server);
  }

  send(message: ClientMessage): void {
    if (this.#phase === 'open' || this.#phase === 'welcomed') this.#stream?.send(JSON.stringify(message));
  }

  frame(frame: BinaryFrame): boolean {
    if (this.#phase !== 'welcomed') return false;
    this.#stream?.send(encodeFrame(frame));
    return true;
  }

  check(): void {
    if (this.#phase !== 'open' && this.#phase !== 'welcomed') return;
    if (!this.#host.addresses().some(({ ip }) => ip === this.#local)) return this.#end('lost');
    const askedAt = this.#timeline.now();
    this.#stream?.send(PING);
    this.#cancelCheck();
    this.#cancelCheck = this.#timeline.after(CHECK_TIMEOUT_MS, () => {
      if (this.#heardAt < askedAt) this.#end('lost');
    });
  }

  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#cancelCheck();
    this.#cancel();
    this.#stream?.close();
  }

  /** One round trip for TCP, one for the upgrade. */
  #connect(host: Host, server: SimServer | null): void {
    const way = server === null ? null : trace(host, server.address);
    if (way === null || server === null) {
      this.#cancel = this.#timeline.after(0, () => this.#end('unreachable'));
      return;
    }
    const trip = (at: number) => arrival(way.down, 60, arrival(way.up, 60, at));
    const synAck = trip(this.#timeline.now());
    const stands = trip(synAck);
    if (stands === Number.POSITIVE_INFINITY) {
      this.#cancel = this.#timeline.after(CONNECT_TIMEOUT_MS, () => this.#end('timeout'));
      return;
    }
    this.#cancel = this.#timeline.at(synAck, () => {
      if (!server.accepting) return this.#end('refused');
      this.#cancel = this.#timeline.at(stands, () => this.#establish(way, server));
    });
  }

  #establish(way: NonNullable<ReturnType<typeof trace>>, server: SimServer): void {
    if (!server.accepting || !way.intact()) return this.#end('lost');
    // A port as NAT would give it; nothing depends on it.
    const accepted = server.accept({ ip: way.observed, port: 40_000 });
    const receiver = {
      message: (message: StreamMessage) => this.#message(message),
      closed: () => this.#end('lost'),
    };
    let serverSide: ReturnType<typeof accepted.attach> | null = null;
    const stream = new Stream(this.#timeline, way, receiver, {
      message: (message) => serverSide?.message(message),
      closed: () => serverSide?.closed(),
    });
    serverSide = accepted.attach(stream.server);
    this.#stream = stream.client;
    this.#local = way.local;
    this.#heardAt = this.#timeline.now();
    this.#watch();
    this.#thread.run(() => {
      if (this.#phase !== 'connecting') return;
      this.#phase = 'open';
      // As an older server: it hears nothing before the upgrade.
      if (this.#hello) this.send(this.#hello);
      this.#handlers.open(server.address);
    });
  }

  #message(message: StreamMessage): void {
    this.#heardAt = this.#timeline.now();
    if (message === PING) this.#stream?.send(PONG);
    if (message === PING || message === PONG) return;
    this.#thread.run(() => {
      if (this.#phase === 'closed') return;
      if (typeof message === 'string') return this.#control(serverMessage.parse(JSON.parse(message)));
      const frame = decodeFrame(message);
      if (frame !== null) this.#handlers.frame({ ...frame, payload: frame.payload.slice() });
    });
  }

  #control(message: ServerMessage): void {
    if (message.t === 'welcome') this.#phase = 'welcomed';
    if (message.t === 'error' && message.code !== 'rate-limited') this.#refused = true;
    this.#handlers.message(message);
  }

  /** The server is pinged, and given up after two silent intervals. */
  #watch(): void {
    this.#cancel = this.#timeline.after(PING_INTERVAL_MS, () => {
      if (this.#timeline.now() - this.#heardAt > 2 * PING_INTERVAL_MS) return this.#end('lost');
      this.#stream?.send(PING);
      this.#watch();
    });
  }

  #end(code: 'unreachable' | 'refused' | 'lost' | 'timeout'): void {
    this.#cancelCheck();
    this.#cancel();
    this.#stream?.abandon();
    this.#thread.run(() => {
      if (this.#phase === 'closed') return;
      this.#phase = 'closed';
      this.#handlers.closed({ code: this.#refused ? 'refused' : code });
    });
  }
}
