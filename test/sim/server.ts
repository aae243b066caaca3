/**
 * The rendezvous server in virtual time: protocol/server.ts over simulated TCP, and the real STUN responder over
 * simulated UDP. It can die, come back, vanish from the network, and drain.
 */

import type { ServerErrorCode } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION, SERVER_LIMITS } from '../../protocol/limits.ts';
import {
  type ClientMessage,
  clientMessage,
  decodeFrame,
  encodeFrame,
  FRAME_RELAY,
  type ServerMessage,
  type Welcome,
} from '../../protocol/server.ts';
import { answerStun, type Position } from '../../server/stun/responder.ts';
import { TokenBucket } from '../../server/token-bucket.ts';
import { digest8, type Random } from './core/random.ts';
import type { Timeline } from './core/timeline.ts';
import type { Host, HostSocket } from './net/host.ts';
import type { StreamEnd, StreamMessage, StreamReceiver } from './net/stream.ts';
import { type SimMember, SimRooms } from './server/rooms.ts';

export interface SimServerOptions {
  timeline: Timeline;
  random: Random;
  /** On the Internet with every address below. */
  host: Host;
  address: string;
  /** RFC 5780's second address; left out: one address, two ports. */
  alternateAddress?: string;
  stunPort?: number;
}

/** What a client is told to look like instead of `client`; `to` is where it asked. */
export type Lie = (client: Endpoint, to: Endpoint) => Endpoint;

interface Endpoint {
  ip: string;
  port: number;
}

/** An address that nobody has. */
const NOBODY = { ip: '192.0.2.1', port: 9 };

export class SimServer {
  readonly host: Host;
  readonly address: string;
  /** What its STUN answers say instead of the truth. */
  lie: 'no' | 'address' | 'port' | 'other-address' | Lie = 'no';
  relayFrames = 0;
  droppedFrames = 0;
  readonly #options: SimServerOptions;
  readonly #random: Random;
  #rooms: SimRooms;
  #connections = new Set<Connection>();
  #sockets: HostSocket[] = [];
  #state: 'running' | 'draining' | 'dead' = 'dead';
  #secret: Uint8Array = new Uint8Array(0);

  constructor(options: SimServerOptions) {
    this.#options = options;
    this.host = options.host;
    this.address = options.address;
    this.#random = options.random.stream('server');
    this.#rooms = new SimRooms(this.#random);
    this.start();
  }

  get accepting(): boolean {
    return this.#state === 'running';
  }

  get members(): number {
    return [...this.#connections].filter((connection) => connection.member !== null).length;
  }

  /** A new process: it remembers nobody. */
  start(): void {
    if (this.#state !== 'dead') return;
    this.#state = 'running';
    this.#secret = this.#random.bytes(8);
    this.#rooms = new SimRooms(this.#random);
    const first = this.#options.stunPort ?? 3_478;
    this.#sockets = [first, first + 1].flatMap((port, i) => this.#stun(port, i === 0 ? 0 : 1));
  }

  /** The process is killed: its connections are reset, UDP goes unanswered. */
  die(): void {
    this.#state = 'dead';
    for (const connection of this.#connections) connection.stream?.close();
    for (const connection of this.#connections) connection.closed();
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }

  /** Tells everyone to go, sends newcomers away, and ends after `ms`. */
  drain(ms: number): void {
    this.#state = 'draining';
    for (const connection of this.#connections) {
      connection.tell({ t: 'going-away', retryAfterMs: this.#random.int(0, 1_000) });
    }
    this.#options.timeline.after(ms, () => {
      for (const connection of this.#connections) connection.fail('draining');
      this.die();
    });
  }

  /** A client's WebSocket stands. */
  accept(observed: { ip: string; port: number }): { attach(stream: StreamEnd): StreamReceiver } {
    const connection: Connection = new Connection(this.#options.timeline, {
      observed,
      rooms: this.#rooms,
      source: Buffer.from(digest8(this.#secret, observed.ip)).toString('hex'),
      welcome: (member) => this.#welcome(member, observed),
      passed: (relayed) => {
        if (relayed) this.relayFrames++;
      },
      dropped: () => {
        this.droppedFrames++;
      },
      ended: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return {
      attach: (stream) => {
        connection.stream = stream;
        return connection;
      },
    };
  }

  #welcome(member: SimMember, observed: { ip: string; port: number }): Welcome {
    const { stunPort = 3_478, alternateAddress } = this.#options;
    const { frameBytes, relayPayloadBytes, signalsPerSecond, relayBytesPerSecond } = SERVER_LIMITS;
    return {
      t: 'welcome',
      version: PROTOCOL_VERSION,
      member: member.id,
      observed,
      members: this.#rooms.companions(member),
      stun: [
        { port: stunPort, role: 'primary' },
        { port: stunPort + 1, role: 'second-port' },
        ...(alternateAddress ? [{ ip: alternateAddress, port: stunPort, role: 'alternate' as const }] : []),
      ],
      limits: { frameBytes, relayPayloadBytes, signalsPerSecond, relayBytesPerSecond },
      resume: member.resume,
    };
  }

  #seen(client: Endpoint, to: Endpoint): Endpoint {
    if (typeof this.lie === 'function') return this.lie(client, to);
    if (this.lie === 'address') return { ...client, ip: NOBODY.ip };
    return this.lie === 'port' ? { ...client, port: this.#random.int(1_024, 65_535) } : client;
  }

  #stun(port: number, position: 0 | 1): HostSocket[] {
    const { host, address, alternateAddress, stunPort = 3_478 } = this.#options;
    const ips = [address, alternateAddress ?? address];
    const published = (at: Position) =>
      this.lie === 'other-address' ? NOBODY : { ip: ips[at.address] as string, port: stunPort + at.port };
    const families = new Set(host.addresses().map(({ family }) => family));
    return [...families].flatMap((family) => {
      const socket = host.bind(family, port, (client, bytes, to) => {
        const arrived: Position = { address: to.ip === alternateAddress ? 1 : 0, port: position };
        const twoAddresses = alternateAddress !== undefined && family === 4;
        const seen = this.#seen(client, { ip: to.ip, port });
        const answer = answerStun(bytes, seen, arrived, { twoAddresses, published });
        if (!('bytes' in answer)) return;
        const from =
          answer.from.port === position ? socket : this.#sockets.find((s) => s !== socket && s.family === family);
        const ip = family === 4 ? (ips[answer.from.address] as string) : to.ip;
        // A lie about the port is in the answer, not in where it goes.
        const back = answer.port === seen.port ? client.port : answer.port;
        from?.send({ ip: client.ip, port: back }, answer.bytes, { from: ip });
      });
      return socket === null ? [] : [socket];
    });
  }
}

interface ConnectionContext {
  observed: { ip: string; port: number };
  rooms: SimRooms;
  source: string;
  welcome(member: SimMember): Welcome;
  passed(relayed: boolean): void;
  dropped(): void;
  ended(): void;
}

class Connection implements StreamReceiver {
  stream: StreamEnd | null = null;
  member: SimMember | null = null;
  readonly #timeline: Timeline;
  readonly #context: ConnectionContext;
  readonly #signals: TokenBucket;
  readonly #relay: TokenBucket;
  readonly #stopTimers: (() => void)[] = [];
  #heardAt: number;
  #ended = false;

  constructor(timeline: Timeline, context: ConnectionContext) {
    const now = timeline.now();
    const { signalsPerSecond, relayBytesPerSecond, helloTimeoutMs } = SERVER_LIMITS;
    this.#timeline = timeline;
    this.#context = context;
    this.#heardAt = now;
    this.#signals = new TokenBucket(signalsPerSecond, signalsPerSecond, now);
    this.#relay = new TokenBucket(relayBytesPerSecond, relayBytesPerSecond / 4, now);
    this.#stopTimers.push(
      timeline.after(helloTimeoutMs, () => {
        if (this.member === null) this.fail('hello-timeout');
      }),
    );
    this.#watch();
  }

  message(message: StreamMessage): void {
    if (this.#ended) return;
    this.#heardAt = this.#timeline.now();
    if (message === PING) this.stream?.send(PONG);
    if (message === PING || message === PONG) return;
    if (message.length > SERVER_LIMITS.frameBytes) this.fail('too-large');
    else if (typeof message !== 'string') this.#frame(message);
    else this.#control(message);
  }

  closed(): void {
    this.#end();
  }

  tell(message: ServerMessage): void {
    this.stream?.send(JSON.stringify(message));
  }

  fail(code: ServerErrorCode): void {
    this.tell({ t: 'error', code });
    this.stream?.close();
    this.#end();
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const now = this.#timeline.now();
    if (this.member === null || frame === null) return this.fail('bad-message');
    const relayed = frame.type === FRAME_RELAY;
    if (relayed && frame.payload.length > SERVER_LIMITS.relayPayloadBytes) return this.fail('too-large');
    const within = relayed ? this.#relay.take(bytes.length, now) : this.#signals.take(1, now);
    if (within && this.#context.rooms.route(now, this.member, frame)) this.#context.passed(relayed);
    else this.#context.dropped();
  }

  #control(text: string): void {
    const message = parse(text);
    if (message === null || (message.t === 'hello') !== (this.member === null)) return this.fail('bad-message');
    if (message.t === 'hello') return this.#greet(message);
    const member = this.member as SimMember;
    if (message.t === 'allow') this.#context.rooms.allow(member, message.member);
    else member.allows.delete(message.member);
  }

  #greet(hello: Extract<ClientMessage, { t: 'hello' }>): void {
    if (!hello.versions.includes(PROTOCOL_VERSION)) return this.fail('version');
    this.member = this.#context.rooms.join(hello, this.#context.source, {
      message: (message) => this.tell(message),
      frame: (frame) => this.stream?.send(encodeFrame(frame)),
      replaced: () => {
        this.member = null;
        this.stream?.close();
        this.#end();
      },
    });
    if (this.member === null) this.fail('room-full');
    else this.tell(this.#context.welcome(this.member));
  }

  /** WebSocket pings: a client that is silent for two intervals is gone. */
  #watch(): void {
    const { pingIntervalMs } = SERVER_LIMITS;
    const cancel = this.#timeline.after(pingIntervalMs, () => {
      if (this.#ended) return;
      if (this.#timeline.now() - this.#heardAt > 2 * pingIntervalMs) {
        this.stream?.abandon();
        this.#end();
        return;
      }
      this.stream?.send(PING);
      this.#watch();
    });
    this.#stopTimers.push(cancel);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stop of this.#stopTimers) stop();
    if (this.member !== null) this.#context.rooms.leave(this.member);
    this.member = null;
    this.#context.ended();
  }
}

/** WebSocket control frames; no application message looks like them. */
export const PING = 'ping';
export const PONG = 'pong';

function parse(text: string): ClientMessage | null {
  try {
    const parsed = clientMessage.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
