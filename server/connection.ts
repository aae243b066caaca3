/**
 * One client's WebSocket, from its first byte to its last:
 *
 * 1. greeting: the client has a few seconds to say `hello`, unless the upgrade request said it;
 * 2. member: it is welcomed; control messages, signals and relay frames are checked and counted here, routed by the hub;
 * 3. closed: by the client, by silence, or by an error code.
 */
import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import type { ServerErrorCode } from '../protocol/errors.ts';
import { PROTOCOL_VERSION, type ServerLimits } from '../protocol/limits.ts';
import {
  type ClientMessage,
  clientMessage,
  FRAME_HEADER_BYTES,
  FRAME_RELAY,
  FRAME_SIGNAL,
  type Hello,
  type ServerMessage,
  type Welcome,
} from '../protocol/server.ts';
import type { Counters, DropReason } from './counters.ts';
import type { Hub, Member } from './hub.ts';
import { isSmall, Outbox } from './outbox.ts';
import type { SourceRooms } from './source.ts';
import { TokenBucket } from './token-bucket.ts';

type State = { kind: 'greeting'; timer: NodeJS.Timeout } | { kind: 'member'; member: Member } | { kind: 'closed' };

/** What all connections of a server share. */
export interface ConnectionContext {
  hub: Hub;
  limits: ServerLimits;
  counters: Counters;
  sourceRooms: SourceRooms;
  sourceTag: (key: string) => string;
  stunEndpoints: () => Welcome['stun'];
}

export interface ConnectionOptions {
  socket: WebSocket;
  /** The client's endpoint as this server sees it. */
  observed: { ip: string; port: number };
  sourceKey: string;
  /** Once, when the client is no longer served; its socket may take a moment longer to end. */
  onEnd: () => void;
}

/** RFC 6455, section 7.4.1: 1013 (try again later) is IANA's. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;
const CLOSE_TOO_LARGE = 1009;
const CLOSE_TRY_LATER = 1013;
/** A client that does not answer a close frame by then loses its TCP connection. */
const CLOSE_TIMEOUT_MS = 2_000;
/** A limited client is told so at most this often. */
const RATE_NOTICE_INTERVAL_MS = 1_000;
/** Share of a second of relay traffic that may arrive at once: a GRO burst, not a standing queue. */
const RELAY_BURST_S = 0.25;
/** And what small frames have on top, by the same measure: 400 of them, when bulk has taken all the rest. */
const EXPRESS_RESERVE_S = 0.05;

export class Connection {
  readonly #context: ConnectionContext;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #outbox: Outbox;
  readonly #signals: TokenBucket;
  readonly #controls: TokenBucket;
  readonly #relay: TokenBucket;
  /** Bytes of the relay's bucket that only small frames take. */
  readonly #expressReserve: number;
  readonly #pings: NodeJS.Timeout;
  #state: State;
  #heardAt = performance.now();
  #noticedAt = Number.NEGATIVE_INFINITY;
  #topic: string | null = null;
  /** Session of a hello in the upgrade request, whose answer a proxy may have kept from the client: it says it again. */
  #greeted: string | null = null;

  constructor(context: ConnectionContext, options: ConnectionOptions) {
    const { limits, counters } = context;
    this.#context = context;
    this.#options = options;
    this.#socket = options.socket;
    this.#outbox = new Outbox({
      socket: options.socket,
      backlogBytes: limits.backlogBytes,
      onDrop: () => counters.dropped['slow-reader']++,
      onTooSlow: () => this.#fail('too-slow'),
    });
    const now = this.#heardAt;
    this.#signals = new TokenBucket(limits.signalsPerSecond, limits.signalsPerSecond, now);
    // One permission for each member of a full room may come at once.
    this.#controls = new TokenBucket(limits.signalsPerSecond, limits.membersPerRoom, now);
    const burst = Math.max(limits.relayPayloadBytes, limits.relayBytesPerSecond * RELAY_BURST_S);
    this.#expressReserve = limits.relayBytesPerSecond * EXPRESS_RESERVE_S;
    this.#relay = new TokenBucket(limits.relayBytesPerSecond, burst + this.#expressReserve, now);
    this.#state = { kind: 'greeting', timer: setTimeout(() => this.#fail('hello-timeout'), limits.helloTimeoutMs) };
    this.#pings = setInterval(() => this.#checkAlive(), limits.pingIntervalMs);
    this.#listen();
  }

  /** The upgrade request said hello. */
  greet(hello: Hello): void {
    this.#greeted = hello.session;
    this.#greet(hello);
  }

  sayGoingAway(retryAfterMs: number): void {
    if (this.#state.kind === 'member') this.#send({ t: 'going-away', retryAfterMs });
  }

  /** The end of a drain. */
  dismiss(): void {
    this.#fail('draining');
  }

  /** Each connection has its own rhythm, so that a full server never pings everyone in one breath. */
  #checkAlive(): void {
    const { counters, limits } = this.#context;
    if (performance.now() - this.#heardAt > 2 * limits.pingIntervalMs) {
      counters.silent++;
      this.#end();
      this.#socket.terminate();
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.ping();
    }
  }

  #listen(): void {
    const heard = () => {
      this.#heardAt = performance.now();
    };
    // ws hands out one Buffer a message, text too, unless asked otherwise.
    this.#socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    this.#socket.on('ping', heard);
    this.#socket.on('pong', heard);
    this.#socket.on('close', () => this.#end());
    // Broken framing; ws closes the socket by itself with the code of RFC 6455.
    this.#socket.on('error', (error: Error & { code?: string }) => {
      if (this.#state.kind !== 'closed' && error.code?.startsWith('WS_ERR')) {
        const large = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
        this.#context.counters.errors[large ? 'too-large' : 'bad-message']++;
      }
      this.#end();
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#state.kind === 'closed') return;
    const now = performance.now();
    this.#heardAt = now;
    if (data.length > this.#context.limits.frameBytes) this.#fail('too-large');
    else if (isBinary) this.#receiveFrame(data, now);
    else this.#receiveControl(data, now);
  }

  #receiveFrame(frame: Buffer, now: number): void {
    const type = frame[0];
    const known = type === FRAME_SIGNAL || type === FRAME_RELAY;
    if (this.#state.kind !== 'member' || !known || frame.length < FRAME_HEADER_BYTES) {
      this.#fail('bad-message');
    } else if (type === FRAME_RELAY && frame.length - FRAME_HEADER_BYTES > this.#context.limits.relayPayloadBytes) {
      this.#fail('too-large');
    } else if (type === FRAME_RELAY && !this.#relay.take(frame.length, now, this.#reserveBefore(frame))) {
      this.#limited('relay-rate', this.#relay.waitMs(frame.length, this.#reserveBefore(frame)), now);
    } else if (type === FRAME_SIGNAL && !this.#signals.take(1, now)) {
      this.#limited('signal-rate', this.#signals.waitMs(1), now);
    } else {
      this.#context.hub.route(this.#state.member, frame, now);
    }
  }

  /** What a relay frame has to leave in the bucket. */
  #reserveBefore(frame: Buffer): number {
    return isSmall(frame) ? 0 : this.#expressReserve;
  }

  #receiveControl(data: Buffer, now: number): void {
    if (this.#state.kind === 'member' && !this.#controls.take(1, now)) {
      this.#limited('control-rate', this.#controls.waitMs(1), now);
      return;
    }
    const message = parseControl(data);
    if (message === null) {
      this.#fail('bad-message');
    } else if (this.#state.kind === 'greeting') {
      if (message.t === 'hello') this.#greet(message);
      else this.#fail('bad-message');
    } else if (this.#state.kind === 'member') {
      this.#command(this.#state.member, message);
    }
  }

  #command(member: Member, message: ClientMessage): void {
    const { hub } = this.#context;
    if (message.t === 'allow') hub.allow(member, message.member);
    else if (message.t === 'deny') hub.deny(member, message.member);
    else if (message.session !== this.#greeted) this.#fail('bad-message');
    else this.#greeted = null;
  }

  #greet(hello: Hello): void {
    const { hub, sourceRooms, sourceTag, counters } = this.#context;
    const { sourceKey } = this.#options;
    if (!hello.versions.includes(PROTOCOL_VERSION)) {
      this.#fail('version');
      return;
    }
    if (!sourceRooms.add(sourceKey, hello.topic)) {
      this.#fail('too-many-rooms');
      return;
    }
    this.#topic = hello.topic;
    const { topic, session, resume } = hello;
    const member = hub.join({ topic, session, resume, source: sourceTag(sourceKey), link: this.#link() });
    if (member === null) {
      this.#fail('room-full');
      return;
    }
    if (this.#state.kind === 'greeting') clearTimeout(this.#state.timer);
    this.#state = { kind: 'member', member };
    counters.welcomed++;
    this.#send(this.#welcome(member));
  }

  #welcome(member: Member): Welcome {
    const { hub, limits, stunEndpoints } = this.#context;
    return {
      t: 'welcome',
      version: PROTOCOL_VERSION,
      member: member.id,
      observed: this.#options.observed,
      members: hub.companions(member),
      stun: stunEndpoints(),
      limits: {
        frameBytes: limits.frameBytes,
        relayPayloadBytes: limits.relayPayloadBytes,
        signalsPerSecond: limits.signalsPerSecond,
        relayBytesPerSecond: limits.relayBytesPerSecond,
      },
      resume: member.resume,
    };
  }

  #link() {
    return {
      control: (json: string) => this.#outbox.control(json),
      signal: (frame: Buffer) => this.#outbox.signal(frame),
      relay: (frame: Buffer) => this.#outbox.relay(frame),
      replaced: () => {
        // The member lives on elsewhere: nobody is told that it left.
        this.#release();
        this.#socket.terminate();
      },
    };
  }

  /** A dropped excess: counted, and said from time to time. */
  #limited(reason: DropReason, retryAfterMs: number, now: number): void {
    this.#context.counters.dropped[reason]++;
    if (now - this.#noticedAt < RATE_NOTICE_INTERVAL_MS) return;
    this.#noticedAt = now;
    this.#context.counters.errors['rate-limited']++;
    this.#send({ t: 'error', code: 'rate-limited', retryAfterMs });
  }

  #send(message: ServerMessage): void {
    this.#outbox.control(JSON.stringify(message));
  }

  /** The last word to a client, past any queue. */
  #fail(code: ServerErrorCode): void {
    if (this.#state.kind === 'closed') return;
    this.#context.counters.errors[code]++;
    this.#end();
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ t: 'error', code } satisfies ServerMessage));
    this.#socket.close(closeCode(code), code);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #end(): void {
    const state = this.#state;
    this.#release();
    if (state.kind === 'member') this.#context.hub.leave(state.member);
  }

  /** Gives back what the connection holds. */
  #release(): void {
    if (this.#state.kind === 'closed') return;
    if (this.#state.kind === 'greeting') clearTimeout(this.#state.timer);
    clearInterval(this.#pings);
    this.#state = { kind: 'closed' };
    if (this.#topic !== null) this.#context.sourceRooms.remove(this.#options.sourceKey, this.#topic);
    this.#options.onEnd();
  }
}

function parseControl(data: Buffer): ClientMessage | null {
  try {
    const parsed = clientMessage.safeParse(JSON.parse(data.toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function closeCode(code: ServerErrorCode): number {
  switch (code) {
    case 'draining':
      return CLOSE_GOING_AWAY;
    case 'too-large':
      return CLOSE_TOO_LARGE;
    case 'too-slow':
    case 'room-full':
    case 'too-many-rooms':
      return CLOSE_TRY_LATER;
    default:
      return CLOSE_POLICY;
  }
}
