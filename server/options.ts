/** What a server is started with and what its owner holds while it runs. */
import type { ServerLimits } from '../protocol/limits.ts';
import type { Counters } from './counters.ts';

export interface ServerOptions {
  /** Address or name for WebSocket and STUN; left out: every address, IPv6 too where the host has it. */
  host?: string;
  /** TCP port of the WebSocket; 0 takes a free one. */
  port: number;
  /** UDP port of STUN (default 3478); 0 takes a free one. */
  stunPort?: number;
  /** The other UDP port of RFC 5780 (default: `stunPort` + 1); 0 takes a free one. */
  stunSecondPort?: number;
  /**
   * A second own address: makes STUN a full RFC 5780 server. The first is `host`, or where that names none, the other
   * address of the same interface.
   */
  alternateIp?: string;
  /** What the world calls `host` and `alternateIp` where a 1:1 NAT stands before them. */
  advertised?: { ip?: string; alternateIp?: string };
  /** PEM; with it the server speaks wss. */
  tls?: { cert: string; key: string };
  /** Where `/healthz` and `/metrics` are served, in clear; left out: nowhere. Port 0 takes a free one. */
  metrics?: { host: string; port: number };
  /** Networks in CIDR notation whose X-Forwarded-For is believed (default: none). */
  trustProxy?: string[];
  /** Departures from `SERVER_LIMITS`. */
  limits?: Partial<ServerLimits>;
  /** How long members are served after `going-away` (default 1,000 ms). */
  drainMs?: number;
}

export interface RunningServer {
  /** As bound; `host` is `::` or `0.0.0.0` where none was given. */
  readonly host: string;
  readonly port: number;
  readonly stun: { port: number; secondPort: number };
  readonly metrics: { host: string; port: number } | null;
  /** Live counts and totals since the start. */
  readonly counters: Readonly<Counters>;
  readonly connections: number;
  readonly members: number;
  readonly rooms: number;
  /** Says `going-away`, serves for `drainMs`, closes every socket. Every call waits for the same end. */
  close(): Promise<void>;
}

export const DEFAULT_STUN_PORT = 3478;
export const DEFAULT_DRAIN_MS = 1_000;
