/**
 * The HTTP side of `/v1`: decides which upgrade requests become WebSockets, and answers the others with a status and
 * the same closed `error` message that a WebSocket would have carried.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ServerErrorCode } from '../protocol/errors.ts';
import type { ServerLimits } from '../protocol/limits.ts';
import { clientMessage, HELLO_HEADER, type Hello, type ServerMessage } from '../protocol/server.ts';
import type { Counters } from './counters.ts';
import { clientAddress, plainAddress, SourceCounts, sourceKey } from './source.ts';
import { SourceRate } from './source-rate.ts';

export const SERVER_PATH = '/v1';

/** A request line and its headers must be here by then: idle TCP connections are not kept. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 8 * 1024;
const RETRY_AFTER_S = 5;
/** TCP connections of one source, beside its WebSockets, that may be busy with TLS or HTTP. */
const UPGRADING_PER_SOURCE = 64;
/** ws answers anything above with a bare 1009; up to here the client gets the code `too-large`. */
const OVERSIZE_FACTOR = 4;

export interface Admission {
  socket: WebSocket;
  observed: { ip: string; port: number };
  sourceKey: string;
  /** Said in the upgrade request; null: it comes as the first message. */
  hello: Hello | null;
  /** Gives the source's place to the next one; call once. */
  release: () => void;
}

export interface GateOptions {
  tls?: { cert: string; key: string } | undefined;
  limits: ServerLimits;
  counters: Counters;
  trusted: (ip: string) => boolean;
  onAdmission: (admission: Admission) => void;
}

export class Gate {
  readonly http: HttpServer;
  readonly #options: GateOptions;
  readonly #webSockets: WebSocketServer;
  /** What upgrade requests said in their header. */
  readonly #hellos = new WeakMap<IncomingMessage, Hello>();
  readonly #perSource: SourceCounts;
  readonly #tcpPerSource: SourceCounts;
  readonly #arrivals: SourceRate;
  readonly #tcp = new Set<Socket>();
  #draining = false;

  constructor(options: GateOptions) {
    const { limits } = options;
    this.#options = options;
    this.#perSource = new SourceCounts(limits.connectionsPerSource);
    this.#tcpPerSource = new SourceCounts(limits.connectionsPerSource + UPGRADING_PER_SOURCE);
    // Everyone behind one address may come back at once, and once more.
    this.#arrivals = new SourceRate(limits.arrivalsPerSecond, 2 * limits.connectionsPerSource);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: OVERSIZE_FACTOR * limits.frameBytes,
      maxFragments: 64,
    });
    this.#webSockets.on('headers', (headers, request) => {
      if (this.#hellos.has(request)) headers.push(`${HELLO_HEADER}: taken`);
    });
    this.http = createServer(options.tls);
    this.http.on('connection', (socket: Socket) => this.#watch(socket));
    this.http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.http.on('clientError', (_, socket) => socket.destroy());
  }

  /** From now on newcomers are sent away; the listening port is free for a successor. */
  drain(): void {
    this.#draining = true;
    this.http.close();
  }

  /** Resolves when every TCP connection has ended, at the latest after `timeoutMs`. */
  async untilClosed(timeoutMs: number): Promise<void> {
    const ended = [...this.#tcp].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.all(ended), expired]);
    clearTimeout(timer);
  }

  /** Ends every TCP connection. */
  destroy(): void {
    for (const socket of this.#tcp) socket.destroy();
  }

  /** Bounds what a source can hold before it is a WebSocket. A proxy's clients are told apart only by its header. */
  #watch(socket: Socket): void {
    this.#tcp.add(socket);
    const ip = plainAddress(socket.remoteAddress ?? '0.0.0.0');
    const key = this.#options.trusted(ip) ? null : sourceKey(ip);
    const admitted = key === null || this.#tcpPerSource.add(key);
    socket.once('close', () => {
      this.#tcp.delete(socket);
      if (key !== null && admitted) this.#tcpPerSource.remove(key);
    });
    socket.on('error', () => socket.destroy());
    if (!admitted) {
      this.#options.counters.errors['too-many-connections']++;
      socket.destroy();
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.url !== SERVER_PATH) {
      respond(socket, 404);
      return;
    }
    if (this.#draining) {
      this.#refuse(socket, 503, 'draining');
      return;
    }
    // Browsers send it always, so that no page can use its visitor as a client.
    if (request.headers.origin !== undefined) {
      this.#refuse(socket, 403, 'origin');
      return;
    }
    const ip = clientAddress(request, this.#options.trusted);
    const key = sourceKey(ip);
    if (!this.#arrivals.admits(ip, performance.now()) || !this.#perSource.add(key)) {
      this.#refuse(socket, 429, 'too-many-connections');
      return;
    }
    this.#admit(request, socket, head, { ip, key });
  }

  /** `ws` answers a broken handshake by itself and then never calls back; the TCP connection ends in both cases. */
  #admit(request: IncomingMessage, socket: Duplex, head: Buffer, { ip, key }: { ip: string; key: string }): void {
    let held = true;
    const release = () => {
      if (held) this.#perSource.remove(key);
      held = false;
    };
    socket.once('close', release);
    const port = request.socket.remotePort ?? 0;
    const hello = helloOf(request);
    if (hello !== null) this.#hellos.set(request, hello);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#options.onAdmission({
        socket: webSocket,
        observed: { ip, port: Math.max(port, 1) },
        sourceKey: key,
        hello,
        release,
      });
    });
  }

  #refuse(socket: Duplex, status: 403 | 429 | 503, code: ServerErrorCode): void {
    this.#options.counters.errors[code]++;
    respond(socket, status, code);
  }
}

/** Null where the header is missing, or is none: then it has no effect. */
function helloOf({ headers }: IncomingMessage): Hello | null {
  const text = headers[HELLO_HEADER];
  if (typeof text !== 'string') return null;
  try {
    const parsed = clientMessage.safeParse(JSON.parse(text));
    return parsed.success && parsed.data.t === 'hello' ? parsed.data : null;
  } catch {
    return null;
  }
}

function createServer(tls: GateOptions['tls']): HttpServer {
  const options = {
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 5,
    maxHeaderSize: MAX_HEADER_BYTES,
    noDelay: true,
  };
  if (tls === undefined) return createHttpServer(options, notHere);
  return createHttpsServer({ ...options, ...tls, handshakeTimeout: REQUEST_TIMEOUT_MS }, notHere);
}

/** Everything that is no upgrade to `/v1`. */
function notHere(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { Connection: 'close', 'Content-Length': 0 }).end();
}

const STATUS = { 403: 'Forbidden', 404: 'Not Found', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;

function respond(socket: Duplex, status: keyof typeof STATUS, code?: ServerErrorCode): void {
  const body = code === undefined ? '' : JSON.stringify(refusal(status, code));
  const headers = [
    `HTTP/1.1 ${status} ${STATUS[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (status !== 404 && status !== 403) headers.push(`Retry-After: ${RETRY_AFTER_S}`);
  socket.on('error', () => socket.destroy());
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function refusal(status: keyof typeof STATUS, code: ServerErrorCode): ServerMessage {
  return status === 403 ? { t: 'error', code } : { t: 'error', code, retryAfterMs: RETRY_AFTER_S * 1_000 };
}
