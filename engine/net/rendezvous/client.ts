/**
 * The client of the rendezvous protocol over `ws`. One call makes one connection, which ends once and never comes back:
 * when to try again is the core's decision.
 *
 * 1. TCP, or CONNECT through a proxy; TLS; the WebSocket handshake; a server that refuses says its code in the body;
 * 2. hello rides in the request, or is the first message where the server does not know that;
 * 3. the first message back must be `welcome`, `error` or `going-away`;
 * 4. every message is validated; a server that breaks the protocol is counted and left.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, isIP, isIPv4, type Socket, type TcpNetConnectOpts } from 'node:net';
import { performance } from 'node:perf_hooks';
import {
  checkServerIdentity,
  connect as connectTls,
  rootCertificates,
  type ConnectionOptions as TlsOptions,
} from 'node:tls';
import { type ClientOptions, WebSocket } from 'ws';
import { WarrenError } from '../../../protocol/errors.ts';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import {
  type BinaryFrame,
  type ClientMessage,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_RELAY,
  HELLO_HEADER,
  type Hello,
  type ServerMessage,
  serverMessage,
} from '../../../protocol/server.ts';
import { prefixOf, synthesise } from '../../core/candidates/nat64.ts';
import type { Nat64Port, RendezvousConnection, RendezvousHandlers, RendezvousPort } from '../../ports.ts';
import type { EarlyDials } from './early-dials.ts';
import { type ClosedCause, causeOf } from './failure.ts';
import { RelayOutbox } from './outbox.ts';
import { isOwnAddress } from './own-address.ts';
import { type Environment, proxyFor } from './proxy.ts';
import { readRefusal } from './refusal.ts';

export interface RendezvousOptions {
  /** PEM file with certificates to trust besides the built-in ones. */
  caFile?: string;
  /** How an IPv6-only host reaches a server that is named by an IPv4 address. Default: not at all. */
  nat64?: Nat64Port;
  /** Connections that were opened ahead. Default: none. */
  early?: EarlyDials | undefined;
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read (default `process.env`). */
  env?: Environment;
  /** From the call to an open WebSocket (default 10,000 ms). */
  connectTimeoutMs?: number;
  /** The server is pinged this often and given up after two silent intervals (default 5,000 ms). */
  pingIntervalMs?: number;
  /** How soon the server must be heard after a change of network (default 1,500 ms). */
  checkTimeoutMs?: number;
  /** Whether an address is this host's. Replaced by tests. */
  isOwnAddress?: (ip: string) => boolean;
}

/** Totals over all connections of a port. */
export interface RendezvousCounters {
  /** Messages and frames of servers that broke the protocol. */
  invalid: number;
  /** Frames not sent because the socket was closed, its queue full, or the frame too large. */
  droppedFrames: number;
  /** Control messages sent to a socket that was not open. */
  droppedMessages: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 5_000;
/** After a change of network: a round trip with a retransmission, and little of the time in which a player waits. */
const CHECK_TIMEOUT_MS = 1_500;
/** Unsent bytes above which nothing more is queued. */
const MAX_BUFFER_BYTES = 256 * 1024;
/** A welcome to a room of 250 members has about 27 KiB. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** A server that does not answer the close frame by then loses its TCP connection. */
const CLOSE_TIMEOUT_MS = 1_000;
const CLOSE_NORMAL = 1000;

/** Throws WarrenError `usage` where the CA file cannot be read. */
export function createRendezvous(
  options: RendezvousOptions = {},
): RendezvousPort & { readonly counters: Readonly<RendezvousCounters> } {
  const counters: RendezvousCounters = { invalid: 0, droppedFrames: 0, droppedMessages: 0 };
  const ca = options.caFile === undefined ? undefined : [...rootCertificates, readCertificates(options.caFile)];
  return {
    counters,
    connect: (url, handlers, hello) => new WebSocketRendezvous(url, handlers, hello ?? null, { options, counters, ca }),
  };
}

interface Shared {
  options: RendezvousOptions;
  counters: RendezvousCounters;
  ca: string[] | undefined;
}

type Phase = 'connecting' | 'open' | 'welcomed' | 'closed';

class WebSocketRendezvous implements RendezvousConnection {
  readonly #handlers: RendezvousHandlers;
  /** What is still to be said. */
  #hello: Hello | null;
  readonly #shared: Shared;
  readonly #relayed = new RelayOutbox();
  /** Null before there is one: for a URL that is none, and while the proxy's agent loads. */
  #socket: WebSocket | null = null;
  readonly #pingIntervalMs: number;
  #phase: Phase = 'connecting';
  #timer: NodeJS.Timeout;
  #heardAt = 0;
  /** Own address that an open connection left by; null where that is not known. */
  #localIp: string | null = null;
  /** Runs out when a `check` is not answered. */
  #doubt: NodeJS.Timeout | undefined;
  #relayPayloadBytes: number = SERVER_LIMITS.relayPayloadBytes;
  /** The code that the server gave for closing. */
  #refusal: string | null = null;

  constructor(url: string, handlers: RendezvousHandlers, hello: Hello | null, shared: Shared) {
    this.#handlers = handlers;
    this.#hello = hello;
    this.#shared = shared;
    this.#pingIntervalMs = shared.options.pingIntervalMs ?? PING_INTERVAL_MS;
    const target = endpointUrl(url);
    if (target === null) {
      this.#timer = setTimeout(() => this.#end({ code: 'refused', error: 'not a server URL' }), 0);
      return;
    }
    const timeoutMs = shared.options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#end({ code: 'timeout' }), timeoutMs);
    const proxy = proxyFor(target, shared.options.env ?? process.env);
    const { nat64 } = shared.options;
    if (proxy !== null) void this.#dialThrough(proxy, target);
    else if (nat64 !== undefined && isIPv4(target.hostname)) void this.#dialIpv4(target, nat64);
    else this.#dial(target, this.#directly(target), null);
  }

  /** `remoteIp` where it is known better than the socket could tell. */
  #dial(target: URL, options: ClientOptions, remoteIp: string | null): void {
    const headers: Record<string, string> = this.#hello === null ? {} : { [HELLO_HEADER]: JSON.stringify(this.#hello) };
    this.#socket = new WebSocket(target, { ...options, headers });
    this.#listen(this.#socket, options.agent !== undefined, remoteIp);
  }

  #directly(target: URL): ClientOptions {
    const options = clientOptions(this.#shared.ca);
    const socket = this.#shared.options.early?.take(target) ?? null;
    return socket === null ? options : { ...options, createConnection: connectOver(socket, target) };
  }

  /** A name is the resolver's affair; an address is ours. */
  async #dialIpv4(target: URL, nat64: Nat64Port): Promise<void> {
    const prefix = prefixOf(await nat64.addresses().catch(() => []));
    if (this.#phase === 'closed') return;
    if (prefix === null) return this.#dial(target, this.#directly(target), null);
    const options = clientOptions(this.#shared.ca);
    const through = connectThrough(synthesise(prefix, target.hostname), target);
    this.#dial(target, { ...options, createConnection: through }, target.hostname);
  }

  /** The agent takes long to load, and few have a proxy. */
  async #dialThrough(proxy: URL, target: URL): Promise<void> {
    try {
      const { HttpsProxyAgent } = await import('https-proxy-agent');
      if (this.#phase === 'closed') return;
      const agent = new HttpsProxyAgent(proxy, tlsOptions(this.#shared.ca));
      this.#dial(target, { ...clientOptions(this.#shared.ca), agent }, null);
    } catch (error) {
      this.#end(causeOf(error as Error, false));
    }
  }

  send(message: ClientMessage): void {
    const socket = this.#socket;
    if (socket === null || this.#phase === 'closed' || socket.readyState !== WebSocket.OPEN) {
      this.#shared.counters.droppedMessages++;
    } else if (socket.bufferedAmount > MAX_BUFFER_BYTES) {
      // A lost `allow` would harm for good; a lost connection mends itself.
      this.#end({ code: 'lost', error: 'the server does not read' });
    } else {
      socket.send(JSON.stringify(message));
    }
  }

  frame(frame: BinaryFrame, express?: boolean): boolean {
    const socket = this.#socket;
    const limit = frame.type === FRAME_RELAY ? this.#relayPayloadBytes : SERVER_LIMITS.frameBytes - FRAME_HEADER_BYTES;
    if (
      socket === null ||
      this.#phase !== 'welcomed' ||
      socket.readyState !== WebSocket.OPEN ||
      socket.bufferedAmount > MAX_BUFFER_BYTES ||
      frame.payload.length > limit
    ) {
      this.#shared.counters.droppedFrames++;
      return false;
    }
    if (frame.type !== FRAME_RELAY || isHandshake(frame.payload)) {
      socket.send(encodeFrame(frame));
    } else if (!this.#relayed.send(socket, { to: frame.member, bytes: encodeFrame(frame), express })) {
      this.#shared.counters.droppedFrames++;
      return false;
    }
    return true;
  }

  check(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const own = this.#shared.options.isOwnAddress ?? isOwnAddress;
    if (this.#localIp !== null && !own(this.#localIp)) return this.#end({ code: 'lost', error: 'its address is gone' });
    const askedAt = performance.now();
    this.#socket.ping();
    clearTimeout(this.#doubt);
    // An answer may wait behind this timer in a process that was blocked.
    const judge = () => this.#heardAt < askedAt && this.#end({ code: 'lost', error: 'silent on the new network' });
    this.#doubt = setTimeout(() => setImmediate(judge), this.#shared.options.checkTimeoutMs ?? CHECK_TIMEOUT_MS);
  }

  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    clearTimeout(this.#timer);
    clearTimeout(this.#doubt);
    this.#relayed.close();
    if (this.#socket === null) return;
    if (this.#socket.readyState !== WebSocket.OPEN) {
      this.#socket.terminate();
      return;
    }
    this.#socket.close(CLOSE_NORMAL);
    const timer = setTimeout(() => this.#socket?.terminate(), CLOSE_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #listen(socket: WebSocket, proxied: boolean, knownIp: string | null): void {
    const heard = () => {
      this.#heardAt = performance.now();
    };
    let remoteIp: string | null = null;
    socket.on('upgrade', ({ socket: tcp, headers }) => {
      if (headers[HELLO_HEADER] !== undefined) this.#hello = null;
      this.#localIp = tcp.localAddress ?? null;
      remoteIp = proxied ? null : (knownIp ?? tcp.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? null);
    });
    socket.on('open', () => this.#opened(remoteIp));
    // ws hands out one Buffer a message, text too, unless asked otherwise.
    socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on('ping', heard);
    socket.on('pong', heard);
    socket.on('unexpected-response', (_, response) => void this.#refused(response));
    socket.on('error', (error) => {
      if (error instanceof Error && 'code' in error && String(error.code).startsWith('WS_ERR')) this.#count();
      this.#end(causeOf(error, this.#phase !== 'connecting'));
    });
    socket.on('close', () => this.#end({ code: 'lost' }));
  }

  #opened(remoteIp: string | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#heardAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setInterval(() => this.#checkAlive(), this.#pingIntervalMs);
    if (this.#hello !== null) this.send(this.#hello);
    this.#handlers.open(remoteIp);
  }

  #checkAlive(): void {
    if (performance.now() - this.#heardAt > 2 * this.#pingIntervalMs) {
      this.#end({ code: 'lost', error: 'the server is silent' });
    } else if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.ping();
    }
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#phase === 'closed') return;
    this.#heardAt = performance.now();
    if (isBinary) this.#receiveFrame(data);
    else this.#receiveMessage(parseMessage(data));
  }

  #receiveFrame(data: Buffer): void {
    const frame = decodeFrame(data);
    if (frame === null || this.#phase !== 'welcomed') this.#broken('a frame out of place');
    else this.#handlers.frame(frame);
  }

  #receiveMessage(message: ServerMessage | null): void {
    if (message === null) {
      this.#broken('an invalid message');
      return;
    }
    const first = this.#phase === 'open';
    if ((message.t === 'welcome') !== first && message.t !== 'error' && message.t !== 'going-away') {
      this.#broken(`an untimely ${message.t}`);
      return;
    }
    if (message.t === 'welcome') {
      this.#phase = 'welcomed';
      this.#relayPayloadBytes = message.limits.relayPayloadBytes;
      this.#relayed.pace(message.limits.relayBytesPerSecond);
    } else if (message.t === 'error' && message.code !== 'rate-limited') {
      this.#refusal = message.code;
    }
    this.#handlers.message(message);
  }

  /** The server said no in HTTP. */
  async #refused(response: IncomingMessage): Promise<void> {
    const message = await readRefusal(response);
    if (this.#phase === 'closed') return;
    if (message !== null) this.#handlers.message(message);
    this.#end({ code: 'refused', error: message?.code ?? `HTTP ${response.statusCode}` });
  }

  #broken(error: string): void {
    this.#count();
    this.#end({ code: 'protocol', error });
  }

  #count(): void {
    if (this.#phase !== 'closed') this.#shared.counters.invalid++;
  }

  #end(cause: ClosedCause): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    clearTimeout(this.#timer);
    clearTimeout(this.#doubt);
    this.#relayed.close();
    this.#socket?.terminate();
    this.#handlers.closed(this.#refusal === null ? cause : { code: 'refused', error: this.#refusal });
  }
}

/** The `/v1` of a server given as ws, wss, http or https URL; null for anything else. */
export function endpointUrl(text: string): URL | null {
  const schemes: Record<string, string> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' };
  if (!URL.canParse(text)) return null;
  const given = new URL(text);
  const protocol = schemes[given.protocol];
  if (protocol === undefined || given.hostname === '') return null;
  const path = given.pathname.replace(/\/+$/, '');
  return new URL(`${protocol}//${given.host}${path.endsWith('/v1') ? path : `${path}/v1`}`);
}

function tlsOptions(ca: string[] | undefined): { ca?: string[] } {
  return ca === undefined ? {} : { ca };
}

function clientOptions(ca: string[] | undefined): ClientOptions {
  return {
    ...tlsOptions(ca),
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: 64,
  };
}

/** Uses a TCP connection that is there already. */
function connectOver(socket: Socket, { protocol, hostname }: URL): NonNullable<ClientOptions['createConnection']> {
  return ((options: TlsOptions) => {
    if (protocol !== 'wss:') return socket;
    const host = hostname.replace(/^\[|\]$/g, '');
    return connectTls({ ...options, path: undefined, host, socket, servername: isIP(host) === 0 ? host : '' });
  }) as NonNullable<ClientOptions['createConnection']>;
}

/** Connects to another address than the URL's, and holds the certificate to the URL's all the same. */
function connectThrough(ip: string, { protocol, hostname }: URL): NonNullable<ClientOptions['createConnection']> {
  return ((options: TcpNetConnectOpts & TlsOptions) => {
    const there = { ...options, path: undefined, host: ip };
    if (protocol !== 'wss:') return connectTcp(there);
    return connectTls({
      ...there,
      servername: '',
      checkServerIdentity: (_, cert) => checkServerIdentity(hostname, cert),
    });
  }) as NonNullable<ClientOptions['createConnection']>;
}

function parseMessage(data: Buffer): ServerMessage | null {
  try {
    const parsed = serverMessage.safeParse(JSON.parse(data.toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** WireGuard's messages 1 to 3: without them no data can be opened, so they may queue for longer. */
function isHandshake(payload: Uint8Array): boolean {
  const type = payload[0] ?? 0;
  return type >= 1 && type <= 3;
}

function readCertificates(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new WarrenError('usage', `cannot read the CA file ${file}`, { cause });
  }
}
