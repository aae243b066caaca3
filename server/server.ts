/**
 * The rendezvous, relay and STUN server in one process; the room's door. Who starts it:
 *
 * 1. STUN sockets and the TCP listener are bound;
 * 2. the gate admits WebSockets, each becomes a connection, the hub routes between the members;
 * 3. `close` drains: newcomers are sent away, members told, sockets closed.
 *
 * Nothing is written to disk and nothing survives the process.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WarrenError } from '../protocol/errors.ts';
import { SERVER_LIMITS, type ServerLimits } from '../protocol/limits.ts';
import type { Welcome } from '../protocol/server.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { createCounters } from './counters.ts';
import { type Admission, Gate } from './gate.ts';
import { Hub } from './hub.ts';
import { createMetricsServer } from './metrics.ts';
import { DEFAULT_DRAIN_MS, DEFAULT_STUN_PORT, type RunningServer, type ServerOptions } from './options.ts';
import { createProxyTrust, createSourceTags, SourceRooms } from './source.ts';
import { type StunServer, startStunServer } from './stun/stun-server.ts';

export type { RunningServer, ServerOptions } from './options.ts';

/** Returning members are spread by one a millisecond, at most this long. */
const MAX_RETRY_SPREAD_MS = 10_000;
/** Time for the last words of a drain to reach the clients before TCP is cut. */
const FAREWELL_MS = 500;

/** Resolves when everything is bound. Throws WarrenError `usage`, `port-taken`, `no-rights` or `internal`. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  try {
    const server = new RendezvousServer(options);
    await server.start();
    return server;
  } catch (error) {
    throw asWarrenError(error);
  }
}

class RendezvousServer implements RunningServer {
  readonly counters = createCounters();
  readonly #options: ServerOptions;
  readonly #limits: ServerLimits;
  readonly #hub: Hub;
  readonly #gate: Gate;
  readonly #context: ConnectionContext;
  readonly #connections = new Set<Connection>();
  #stun: StunServer | null = null;
  #metrics: HttpServer | null = null;
  #closing: Promise<void> | null = null;
  #onEmpty: () => void = () => undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#limits = { ...SERVER_LIMITS, ...options.limits };
    this.#hub = new Hub(this.#limits, this.counters);
    this.#context = {
      hub: this.#hub,
      limits: this.#limits,
      counters: this.counters,
      sourceRooms: new SourceRooms(this.#limits.roomsPerSource),
      sourceTag: createSourceTags(),
      stunEndpoints: () => this.#stunEndpoints(),
    };
    this.#gate = new Gate({
      tls: options.tls,
      limits: this.#limits,
      counters: this.counters,
      trusted: createProxyTrust(options.trustProxy ?? []),
      onAdmission: (admission) => this.#admit(admission),
    });
  }

  /** Binds everything or leaves nothing behind. */
  async start(): Promise<void> {
    const { port, alternateIp, advertised, stunPort = DEFAULT_STUN_PORT, metrics } = this.#options;
    const secondPort = this.#options.stunSecondPort ?? (stunPort === 0 ? 0 : stunPort + 1);
    try {
      const host = await resolved(this.#options.host);
      this.#stun = await startStunServer({
        host,
        alternateIp,
        advertised,
        port: stunPort,
        secondPort,
        counters: this.counters,
      });
      await listen(this.#gate.http, port, host);
      if (metrics !== undefined) {
        this.#metrics = createMetricsServer({
          counters: this.counters,
          gauges: () => this,
          healthy: () => this.#closing === null,
        });
        await listen(this.#metrics, metrics.port, metrics.host);
      }
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  get host(): string {
    return addressOf(this.#gate.http)?.address ?? this.#options.host ?? '::';
  }
  get port(): number {
    return addressOf(this.#gate.http)?.port ?? this.#options.port;
  }
  get stun(): { port: number; secondPort: number } {
    return { port: this.#stun?.port ?? 0, secondPort: this.#stun?.secondPort ?? 0 };
  }
  get metrics(): { host: string; port: number } | null {
    const address = this.#metrics && addressOf(this.#metrics);
    return address ? { host: address.address, port: address.port } : null;
  }
  get connections(): number {
    return this.#connections.size;
  }
  get members(): number {
    return this.#hub.members;
  }
  get rooms(): number {
    return this.#hub.rooms;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  #admit({ socket, observed, sourceKey, hello, release }: Admission): void {
    const connection = new Connection(this.#context, {
      socket,
      observed,
      sourceKey,
      onEnd: () => {
        this.#connections.delete(connection);
        release();
        if (this.#connections.size === 0) this.#onEmpty();
      },
    });
    this.#connections.add(connection);
    if (hello !== null) connection.greet(hello);
  }

  #stunEndpoints(): Welcome['stun'] {
    const { advertised, alternateIp } = this.#options;
    const { port, secondPort } = this.stun;
    const ip = advertised?.ip ?? this.#stun?.primaryIp ?? undefined;
    const named = ip === undefined ? {} : { ip };
    const endpoints: Welcome['stun'] = [
      { ...named, port, role: 'primary' },
      { ...named, port: secondPort, role: 'second-port' },
    ];
    if (alternateIp !== undefined) {
      endpoints.push({ ip: advertised?.alternateIp ?? alternateIp, port, role: 'alternate' });
    }
    return endpoints;
  }

  async #drain(): Promise<void> {
    this.#gate.drain();
    const spread = Math.min(MAX_RETRY_SPREAD_MS, this.#connections.size);
    for (const connection of this.#connections) connection.sayGoingAway(Math.floor(Math.random() * spread));
    await this.#untilEmpty(this.#options.drainMs ?? DEFAULT_DRAIN_MS);
    for (const connection of this.#connections) connection.dismiss();
    await this.#gate.untilClosed(FAREWELL_MS);
    await this.#release();
  }

  /** Members that leave by themselves end a drain early. */
  async #untilEmpty(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    const waiting = new AbortController();
    this.#onEmpty = () => waiting.abort();
    await delay(timeoutMs, undefined, { signal: waiting.signal }).catch(() => undefined);
  }

  async #release(): Promise<void> {
    this.#gate.destroy();
    await Promise.all([stop(this.#gate.http), this.#metrics && stop(this.#metrics), this.#stun?.close()]);
  }
}

/** A listen address may be a name, `localhost` for instance. */
async function resolved(host: string | undefined): Promise<string | undefined> {
  return host === undefined || isIP(host) !== 0 ? host : (await lookup(host)).address;
}

async function listen(server: HttpServer, port: number, host: string | undefined): Promise<void> {
  server.listen({ port, host, backlog: 1_024 });
  await once(server, 'listening');
  // An accept may fail for want of file descriptors; those who are in stay in.
  server.on('error', () => undefined);
}

function addressOf(server: HttpServer): AddressInfo | null {
  const address = server.address();
  return typeof address === 'object' ? address : null;
}

async function stop(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

const CODES: Record<string, 'port-taken' | 'no-rights' | 'usage'> = {
  EADDRINUSE: 'port-taken',
  EACCES: 'no-rights',
  EPERM: 'no-rights',
  EADDRNOTAVAIL: 'usage',
  ENOTFOUND: 'usage',
  ERR_SOCKET_BAD_PORT: 'usage',
};

function asWarrenError(error: unknown): WarrenError {
  if (error instanceof WarrenError) return error;
  const { code = '', message } = error as Error & { code?: string };
  const tls = code.startsWith('ERR_OSSL') || code.startsWith('ERR_TLS');
  return new WarrenError(tls ? 'usage' : (CODES[code] ?? 'internal'), message, { cause: error });
}
