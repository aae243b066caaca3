/**
 * Room cores around fake servers, in virtual time. Servers follow protocol/server.ts (handshake window, allow, relay
 * never), links have a one-way delay, crypto jobs run in process after a fixed delay, and anything can be tampered with.
 */
import { createHash } from 'node:crypto';
import type {
  PeerKey,
  RoomAction,
  RoomCore,
  RoomEvent,
  RoomMemory,
  RoomOptions,
} from '../../../engine/core/room/contract.ts';
import { createRoom } from '../../../engine/core/room/room.ts';
import { runJob } from '../../../engine/net/crypto-worker/jobs.ts';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import {
  type ClientMessage,
  clientMessage,
  type Hello,
  type ServerMessage,
  serverMessage,
} from '../../../protocol/server.ts';

/** Bytes that are the same for the same seed. */
export function seeded(seed: string): (length: number) => Uint8Array {
  let counter = 0;
  return (length) => {
    const chunks: Buffer[] = [];
    for (let size = 0; size < length; size += 64) {
      chunks.push(createHash('sha512').update(`${seed}/${counter++}`).digest());
    }
    return new Uint8Array(Buffer.concat(chunks).subarray(0, length));
  };
}

export interface NodeOptions {
  name?: string;
  room?: string;
  password?: string | null;
  create?: boolean;
  servers?: number[];
  memory?: RoomMemory | null;
  machine?: string;
  hostNetworks?: string[];
  ipv4?: string | null;
  /** What the server says of where it connects from. */
  source?: string;
  seed?: string;
}

type Tamper = (frame: { from: Node; to: Node; payload: Uint8Array }) => Uint8Array | null;

/** One-way, member to server. */
export const HOP_MS = 15;
const CRYPTO_MS = 2;

export class World {
  now = 0;
  /** Every frame that a server passed on. */
  frames: { at: number; from: Node; to: Node; payload: Uint8Array }[] = [];
  tamper: Tamper = ({ payload }) => payload;
  /** What the servers announce and enforce, with as large a burst. */
  signalsPerSecond = 50;
  /** Whether tunnels between peers carry messages. */
  tunnels = true;
  /** One-way, member to member. */
  tunnelMs = HOP_MS;
  readonly servers: FakeServer[];
  #queue: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(servers = 1) {
    this.servers = Array.from({ length: servers }, (_, index) => new FakeServer(this, index));
  }

  after(delayMs: number, run: () => void): void {
    this.#queue.push({ at: this.now + delayMs, order: this.#order++, run });
  }

  /** Runs everything that is due in the next `ms`. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  /** Virtual milliseconds until the condition holds. */
  until(condition: () => boolean, limitMs = 60_000, stepMs = 1): number {
    const start = this.now;
    while (!condition()) {
      if (this.now - start >= limitMs) throw new Error(`not within ${limitMs} ms`);
      this.run(stepMs);
    }
    return this.now - start;
  }

  node(options: NodeOptions = {}): Node {
    return new Node(this, options);
  }
}

export class Node {
  readonly name: string;
  readonly source: string;
  readonly core: RoomCore;
  readonly key: PeerKey;
  readonly world: World;
  readonly actions: { at: number; action: RoomAction }[] = [];
  memory: RoomMemory | null;
  readonly psk = new Map<PeerKey, string>();
  readonly ups: PeerKey[] = [];
  readonly addresses = new Map<PeerKey, string | null>();
  readonly routes = new Map<PeerKey, { server: number; member: string }[]>();
  readonly connections = new Map<number, Connection>();
  #wakeAt = Number.POSITIVE_INFINITY;
  #alive = true;

  constructor(world: World, options: NodeOptions) {
    this.world = world;
    this.name = options.name ?? 'ann';
    this.source = options.source ?? this.name;
    this.memory = options.memory ?? null;
    const roomOptions: RoomOptions = {
      name: options.room ?? 'Den',
      password: options.password === undefined ? 'secret' : options.password,
      nick: this.name,
      machineKey: seeded(`machine ${options.machine ?? this.name}`)(32),
      servers: (options.servers ?? world.servers.map((_, i) => i)).map((i) => `ws://server-${i}`),
      create: options.create ?? false,
      memory: this.memory,
      hostNetworks: options.hostNetworks ?? [],
      ipv4: options.ipv4 ?? null,
      random: seeded(options.seed ?? `${this.name} ${options.machine ?? ''}`),
      scryptN: 16,
    };
    this.core = createRoom(roomOptions);
    this.key = this.core.view().publicKey;
  }

  start(): this {
    this.event({ type: 'start' });
    return this;
  }

  /** The process is gone without a word; servers notice at once. */
  kill(): void {
    this.#alive = false;
    for (const connection of this.connections.values()) connection.server.leave(connection);
    this.connections.clear();
  }

  event(event: RoomEvent): void {
    if (!this.#alive) return;
    for (const action of this.core.handle(this.world.now, event)) {
      this.actions.push({ at: this.world.now, action });
      this.#act(action);
    }
  }

  proved(other: Node): boolean {
    return this.core.view().members.some((member) => member.key === other.key && member.proven);
  }

  count(type: RoomAction['type']): number {
    return this.actions.filter(({ action }) => action.type === type).length;
  }

  notices(): string[] {
    return this.actions.flatMap(({ action }) => (action.type === 'notice' ? [action.code] : []));
  }

  fatal(): string | null {
    return this.actions.flatMap(({ action }) => (action.type === 'fatal' ? [action.code] : []))[0] ?? null;
  }

  messages(): { peer: PeerKey; message: unknown }[] {
    return this.actions.flatMap(({ action }) => (action.type === 'peer-message' ? [action] : []));
  }

  downs(): string[] {
    return this.actions.flatMap(({ action }) => (action.type === 'peer-down' ? [action.reason] : []));
  }

  #act(action: RoomAction): void {
    const { world } = this;
    switch (action.type) {
      case 'connect': {
        const server = world.servers[Number(action.url.split('-')[1])];
        if (server !== undefined) new Connection(this, server, action.server).open(action.hello);
        return;
      }
      case 'disconnect':
        this.connections.get(action.server)?.drop();
        return;
      case 'server-send':
        clientMessage.parse(action.message);
        this.connections.get(action.server)?.up((server, connection) => server.message(connection, action.message));
        return;
      case 'server-frame':
        this.connections
          .get(action.server)
          ?.up((server, connection) => server.frame(connection, action.member, action.payload));
        return;
      case 'crypto': {
        const result = runJob(action.request);
        return world.after(CRYPTO_MS, () => this.event({ type: 'crypto', job: action.job, result }));
      }
      case 'tunnel-frame': {
        if (action.payload.length > 1_200) throw new Error('too long for a probe message');
        const other = this.#tunnelTo(action.peer);
        if (other)
          world.after(world.tunnelMs, () =>
            other.event({ type: 'tunnel-frame', peer: this.key, payload: action.payload }),
          );
        return;
      }
      case 'peer-up':
        this.psk.set(action.peer, Buffer.from(action.presharedKey).toString('hex'));
        this.ups.push(action.peer);
        this.addresses.delete(action.peer);
        if (action.early) this.#begin(action.early);
        return;
      case 'peer-down':
        this.psk.delete(action.peer);
        this.addresses.delete(action.peer);
        return;
      case 'peer-address':
        this.addresses.set(action.peer, action.ipv4);
        return;
      case 'peer-routes':
        this.routes.set(action.peer, action.routes);
        return;
      case 'remember':
        this.memory = JSON.parse(JSON.stringify(action.memory));
        return;
      case 'wake':
        return this.#wake(action.at);
    }
  }

  /** The device answers with the tunnel's first message, in an event of its own. */
  #begin(way: { server: number; member: string }): void {
    const payload = seeded(`initiation of ${this.name}`)(148);
    this.world.after(0, () => this.event({ type: 'tunnel-begin', ...way, payload }));
  }

  /** The device carries messages where both ends hold the same preshared key. */
  #tunnelTo(peer: PeerKey): Node | undefined {
    if (!this.world.tunnels) return undefined;
    return everyNode.find(
      (node) => node.world === this.world && node.key === peer && node.psk.get(this.key) === this.psk.get(peer),
    );
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.world.after(Math.max(0, at - this.world.now), () => {
      if (this.#wakeAt !== at) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.event({ type: 'tick' });
    });
  }
}

/** Nodes that tunnels may reach. */
const everyNode: Node[] = [];
export function withTunnels(...nodes: Node[]): void {
  everyNode.push(...nodes);
}

class Connection {
  id = '';
  session = '';
  topic = '';
  tokens = Number.POSITIVE_INFINITY;
  tokensAt = 0;
  allowed = new Set<string>();
  readonly node: Node;
  readonly server: FakeServer;
  readonly index: number;
  #open = true;
  #lost = false;

  constructor(node: Node, server: FakeServer, index: number) {
    this.node = node;
    this.server = server;
    this.index = index;
    node.connections.set(index, this);
  }

  open(hello: Hello): void {
    this.node.world.after(2 * HOP_MS, () => {
      if (!this.#open) return;
      if (!this.server.up) return this.lose('unreachable');
      clientMessage.parse(hello);
      this.up((server, connection) => server.message(connection, hello));
      this.node.event({ type: 'server-open', server: this.index });
    });
  }

  up(deliver: (server: FakeServer, connection: Connection) => void): void {
    this.node.world.after(HOP_MS, () => {
      if (!this.#lost && this.server.up) deliver(this.server, this);
    });
  }

  down(event: RoomEvent): void {
    this.node.world.after(HOP_MS, () => {
      if (this.#open) this.node.event(event);
    });
  }

  say(message: ServerMessage): void {
    this.down({ type: 'server-message', server: this.index, message: serverMessage.parse(message) });
  }

  /** From the server's side. */
  lose(code: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lost = true;
    this.server.leave(this);
    this.node.event({ type: 'server-closed', server: this.index, code });
  }

  /** Nothing passes any more, and nobody is told. */
  vanish(): void {
    this.#open = false;
    this.#lost = true;
  }

  /** From the client's side. */
  drop(): void {
    this.#open = false;
    this.node.world.after(HOP_MS, () => this.server.leave(this));
  }
}

/** The rendezvous as protocol/server.ts has it, without limits but the handshake window. */
export class FakeServer {
  up = true;
  readonly #world: World;
  readonly #index: number;
  #connections: Connection[] = [];
  #nextId = 1;
  #windows = new Map<string, number[]>();
  /** Frames that the handshake window swallowed. */
  limited = 0;

  constructor(world: World, index: number) {
    this.#world = world;
    this.#index = index;
  }

  die(): void {
    this.up = false;
    for (const connection of this.#connections.slice()) connection.lose('lost');
    this.#connections = [];
  }

  revive(): void {
    this.up = true;
  }

  message(from: Connection, message: ClientMessage): void {
    if (message.t === 'hello') return this.#hello(from, message);
    if (message.t === 'allow') from.allowed.add(message.member);
    else from.allowed.delete(message.member);
  }

  frame(from: Connection, to: string, payload: Uint8Array): void {
    const { now, signalsPerSecond: rate } = this.#world;
    from.tokens = Math.min(rate, from.tokens + ((now - from.tokensAt) * rate) / 1_000) - 1;
    from.tokensAt = now;
    if (from.tokens < 0) throw new Error('a signal was dropped: too many in a second');
    const target = this.#connections.find((other) => other.id === to && other.topic === from.topic);
    if (target === undefined) return;
    if (!(from.allowed.has(to) && target.allowed.has(from.id)) && !this.#mayHandshake(from, target, payload)) {
      this.limited += 1;
      return;
    }
    const passed = this.#world.tamper({ from: from.node, to: target.node, payload });
    if (passed === null) return;
    this.#world.frames.push({ at: this.#world.now, from: from.node, to: target.node, payload: passed });
    target.down({ type: 'server-frame', server: target.index, member: from.id, payload: passed });
  }

  leave(connection: Connection): void {
    if (!this.#connections.includes(connection)) return;
    this.#connections = this.#connections.filter((other) => other !== connection);
    for (const other of this.#room(connection)) other.say({ t: 'left', member: connection.id });
  }

  /** Passes a frame on as if this member had sent it. */
  forge(from: Node, to: Node, payload: Uint8Array): void {
    const sender = this.#of(from);
    const target = this.#of(to);
    if (sender && target) {
      target.down({ type: 'server-frame', server: target.index, member: sender.id, payload });
    }
  }

  #of(node: Node): Connection | undefined {
    return this.#connections.find((connection) => connection.node === node);
  }

  #room(connection: Connection): Connection[] {
    return this.#connections.filter(
      (other) => other !== connection && other.topic === connection.topic && other.id !== '',
    );
  }

  #hello(from: Connection, hello: Hello): void {
    from.id = `${this.#index}${String(this.#nextId++).padStart(15, '0')}`;
    from.topic = hello.topic;
    from.session = hello.session;
    this.#connections.push(from);
    const others = this.#room(from);
    const told = (other: Connection) => ({ member: other.id, session: other.session, source: other.node.source });
    from.say({
      t: 'welcome',
      version: 1,
      member: from.id,
      observed: { ip: '192.0.2.1', port: 1000 },
      members: others.map(told),
      stun: [],
      limits: {
        frameBytes: 16_384,
        relayPayloadBytes: 1_600,
        signalsPerSecond: this.#world.signalsPerSecond,
        relayBytesPerSecond: 4_000_000,
      },
      resume: '00'.repeat(16),
    });
    for (const other of others) other.say({ t: 'joined', ...told(from) });
  }

  #mayHandshake(from: Connection, to: Connection, payload: Uint8Array): boolean {
    if (payload.length > SERVER_LIMITS.handshakeFrameBytes) return false;
    const pair = [from.id, to.id].toSorted().join();
    const since = this.#world.now - SERVER_LIMITS.handshakeWindowMs;
    const recent = (this.#windows.get(pair) ?? []).filter((at) => at > since);
    if (recent.length >= SERVER_LIMITS.handshakeFrames) return false;
    this.#windows.set(pair, [...recent, this.#world.now]);
    return true;
  }
}

/** Everyone has proved everyone, with the same preshared key, and has an address of everyone. */
export function together(...nodes: Node[]): boolean {
  return nodes.every((a) =>
    nodes.every((b) => a === b || (a.proved(b) && a.psk.get(b.key) === b.psk.get(a.key) && a.addresses.get(b.key))),
  );
}
