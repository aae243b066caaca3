/**
 * TCP connections to servers, opened before the rest of the program is loaded: a round trip that nobody waits for. Each is
 * for the first WebSocket to its server; whoever comes later, or finds it gone, dials as ever.
 */
import { connect, type Socket } from 'node:net';
import { type Environment, proxyFor } from './proxy.ts';

/** As many servers as a room has. */
const MAX_SERVERS = 4;
/** Below the time in which servers end a connection that says nothing: 5 s here, seldom less elsewhere. */
const KEPT_MS = 2_000;
const DEFAULT_PORTS: Record<string, number> = { 'ws:': 80, 'wss:': 443 };

export class EarlyDials {
  readonly #sockets = new Map<string, Socket>();
  readonly #timer: NodeJS.Timeout;

  /** ws and wss URLs; what is behind a proxy is not dialled. Failures are silent. */
  constructor(urls: readonly string[], env: Environment = process.env) {
    for (const url of urls.slice(0, MAX_SERVERS)) {
      const target = URL.canParse(url) ? new URL(url) : null;
      const port = target === null ? undefined : Number(target.port) || DEFAULT_PORTS[target.protocol];
      if (target === null || port === undefined || proxyFor(target, env) !== null) continue;
      this.#dial(target.host, target.hostname.replace(/^\[|\]$/g, ''), port);
    }
    this.#timer = setTimeout(() => this.close(), KEPT_MS).unref();
  }

  /** Connections that wait to be taken. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Yours from here on, established or about to be; null where there is none. */
  take({ host }: URL): Socket | null {
    const socket = this.#sockets.get(host) ?? null;
    this.#sockets.delete(host);
    return socket?.destroyed === false ? socket.ref() : null;
  }

  /** Ends what nobody took; idempotent. */
  close(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  #dial(key: string, host: string, port: number): void {
    if (this.#sockets.has(key)) return;
    const socket = connect({ host, port }).unref();
    this.#sockets.set(key, socket);
    const gone = () => {
      if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
    };
    // Who takes it listens too.
    socket.on('error', gone);
    socket.once('close', gone);
  }
}
