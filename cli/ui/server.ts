/**
 * The web server of the browser UI, on 127.0.0.1 alone: the built renderer over HTTP, protocol/face.ts over a WebSocket.
 *
 * Every page that this machine's browsers show can send requests here, so each request must name us as its host (a name
 * that was rebound to 127.0.0.1 does not), and a WebSocket must come from our own page and begin with a secret.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { AppHost } from '../../engine/session/contract.ts';
import { WarrenError } from '../../protocol/errors.ts';
import { WEB_SOCKET_PATH } from '../../protocol/face.ts';
import { Access } from './access.ts';
import type { Asset, Assets } from './assets.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { securityHeaders } from './headers.ts';
import { UI_LIMITS, type UiCounters, type UiLimits } from './limits.ts';

const ADDRESS = '127.0.0.1';
/** A request line and its headers must be here by then. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** TCP connections; a browser opens up to six for a page, and one for each WebSocket. */
const MAX_CONNECTIONS = 64;
const YEAR_S = 31_536_000;

export interface UiServerOptions {
  app: AppHost;
  assets: Assets;
  /** TCP port, 0 for a free one. */
  port: number;
  limits?: Partial<UiLimits>;
  /** In ms, of a clock that only moves forward; for the life of codes. */
  now?: () => number;
  /** What is for a developer to see. */
  log(message: string): void;
}

export interface UiServer {
  readonly port: number;
  readonly counters: Readonly<UiCounters>;
  /** An address with a fresh one-time code. */
  newAddress(): string;
  /** Ends every connection; idempotent. The app goes on. */
  close(): Promise<void>;
}

/** Resolves when it listens. Rejects with WarrenError: `port-taken`, `no-rights`, `internal`. */
export async function startUiServer(options: UiServerOptions): Promise<UiServer> {
  const server = new BrowserUi(options);
  await server.listen(options.port);
  return server;
}

class BrowserUi implements UiServer {
  readonly counters: UiCounters = { host: 0, origin: 0, refused: 0, malformed: 0, tooMany: 0 };
  readonly #assets: Assets;
  readonly #access: Access;
  readonly #limits: UiLimits;
  readonly #context: ConnectionContext;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<Connection>();
  #hosts: readonly string[] = [];
  #headers: Record<string, string> = {};
  #closing: Promise<void> | null = null;

  constructor({ app, assets, limits, now, log }: UiServerOptions) {
    this.#assets = assets;
    this.#access = new Access(now);
    this.#limits = { ...UI_LIMITS, ...limits };
    this.#context = { app, access: this.#access, counters: this.counters, limits: this.#limits, log };
    this.#http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES });
    this.#http.maxConnections = MAX_CONNECTIONS;
    this.#http.on('request', (request, response) => this.#serve(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('clientError', (_, socket) => socket.destroy());
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: this.#limits.frameBytes,
      maxFragments: 64,
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error) => reject(asWarrenError(error, port)));
      this.#http.listen({ port, host: ADDRESS, exclusive: true }, resolve);
    });
    this.#hosts = [`${ADDRESS}:${this.port}`, `localhost:${this.port}`];
    this.#headers = securityHeaders(this.port);
  }

  newAddress(): string {
    return `http://${ADDRESS}:${this.port}/#code=${this.#access.newCode()}`;
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#http.close(() => resolve());
      for (const connection of this.#connections) connection.dismiss();
      this.#http.closeIdleConnections();
    });
    return this.#closing;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request;
    if (!this.#isOurs(headers.host)) {
      this.counters.host++;
      this.#status(response, 403);
    } else if (method !== 'GET' && method !== 'HEAD') {
      this.#status(response, 405, { Allow: 'GET, HEAD' });
    } else {
      const asset = this.#assets.get(pathOf(request));
      if (asset === undefined) this.#status(response, 404);
      else this.#asset(response, asset, method === 'HEAD');
    }
  }

  #asset(response: ServerResponse, { bytes, type, immutable }: Asset, headOnly: boolean): void {
    response.writeHead(200, {
      ...this.#headers,
      'Content-Type': type,
      'Content-Length': bytes.length,
      'Cache-Control': immutable ? `private, max-age=${YEAR_S}, immutable` : 'no-store',
    });
    response.end(headOnly ? undefined : bytes);
  }

  #status(response: ServerResponse, status: number, extra: Record<string, string> = {}): void {
    const body = `${status} ${STATUS_CODES[status]}\n`;
    response.writeHead(status, {
      ...this.#headers,
      ...extra,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': body.length,
      'Cache-Control': 'no-store',
      // The body of a request that is not wanted is not read either.
      Connection: 'close',
    });
    response.end(body);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { host, origin } = request.headers;
    if (!this.#isOurs(host)) {
      this.counters.host++;
      refuse(socket, 403);
    } else if (origin !== `http://${host}`) {
      this.counters.origin++;
      refuse(socket, 403);
    } else if (request.url !== WEB_SOCKET_PATH) {
      refuse(socket, 404);
    } else if (this.#connections.size >= this.#limits.sockets || this.#closing !== null) {
      this.counters.tooMany++;
      refuse(socket, 503);
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = new Connection(this.#context, webSocket);
        this.#connections.add(connection);
        webSocket.once('close', () => this.#connections.delete(connection));
      });
    }
  }

  #isOurs(host: string | undefined): host is string {
    return host !== undefined && this.#hosts.includes(host);
  }
}

/** Without the query. Nothing is decoded: the names of our files need no escapes. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] as string;
}

function refuse(socket: Duplex, status: 403 | 404 | 503): void {
  socket.on('error', () => socket.destroy());
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(head, () => socket.destroy());
}

function asWarrenError(error: NodeJS.ErrnoException, port: number): WarrenError {
  const options = { cause: error };
  if (error.code === 'EADDRINUSE') return new WarrenError('port-taken', `port ${port} is taken`, options);
  if (error.code === 'EACCES') return new WarrenError('no-rights', `port ${port} needs more rights`, options);
  return new WarrenError('internal', `cannot listen on port ${port}: ${error.message}`, options);
}
