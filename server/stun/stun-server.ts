/**
 * STUN over UDP beside the rendezvous: one address with two ports, or two addresses with the same two ports (the four
 * endpoints of RFC 5780), for each family that the host is bound to.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Endpoint } from '../../engine/core/stun/address.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type { Counters } from '../counters.ts';
import { plainAddress } from '../source.ts';
import { StunRateLimit } from './rate-limit.ts';
import { answerStun, type Position, type StunLayout } from './responder.ts';

type Family = 4 | 6;
type Interfaces = ReturnType<typeof networkInterfaces>;

export interface StunServerOptions {
  /** Left out: every address of both families, IPv6 only where the host has it. */
  host?: string | undefined;
  /** A second own address. */
  alternateIp?: string | undefined;
  /** What the world calls the two. */
  advertised?: { ip?: string; alternateIp?: string } | undefined;
  /** 0 takes a free one. */
  port: number;
  /** 0 takes a free one. */
  secondPort: number;
  counters: Counters;
}

export interface StunServer {
  readonly port: number;
  readonly secondPort: number;
  /** The first of two addresses; null where there is no second. */
  readonly primaryIp: string | null;
  close(): Promise<void>;
}

/** The sockets of one family; `sockets[address][port]`, one or two addresses. */
interface Grid {
  family: Family;
  addresses: string[];
  sockets: Socket[][];
}

/** Free ports of the first address can be taken on the others; then all are drawn anew. */
const BIND_ATTEMPTS = 16;

/** Binds everything or nothing. Throws `usage`, or the bind error. */
export async function startStunServer(options: StunServerOptions): Promise<StunServer> {
  const plan = addressPlan(options);
  const { grids, ports } = await bindPlan(plan, [options.port, options.secondPort]);
  const limit = new StunRateLimit();
  for (const grid of grids) serve(grid, { options, ports, limit });
  let closing: Promise<void> | null = null;
  return {
    port: ports[0],
    secondPort: ports[1],
    primaryIp: grids.find(({ addresses }) => addresses.length === 2)?.addresses[0] ?? null,
    close: () => (closing ??= closeAll(grids)),
  };
}

interface PlannedGrid {
  family: Family;
  addresses: string[];
  /** A host without this family goes without it. */
  optional: boolean;
}

function addressPlan({ host, alternateIp }: StunServerOptions): PlannedGrid[] {
  const wildcard = host === undefined || host === '::' || host === '0.0.0.0';
  if (alternateIp === undefined) return wildcard ? wildcardPlan(host) : [pair(host)];
  if (!wildcard) return [pair(host, alternateIp)];
  // A wildcard socket cannot choose the address it answers from, so the pair needs a named first one.
  const others = wildcardPlan(host).filter(({ family }) => family !== familyOf(alternateIp));
  return [pair(primaryBeside(alternateIp, networkInterfaces()), alternateIp), ...others];
}

function wildcardPlan(host: string | undefined): PlannedGrid[] {
  const plan: PlannedGrid[] = [{ family: 4, addresses: ['0.0.0.0'], optional: false }];
  if (host !== '0.0.0.0') plan.push({ family: 6, addresses: ['::'], optional: true });
  return plan;
}

function pair(ip: string, alternateIp?: string): PlannedGrid {
  const family = familyOf(ip);
  if (alternateIp === undefined) return { family, addresses: [ip], optional: false };
  if (familyOf(alternateIp) !== family || alternateIp === ip) {
    throw new WarrenError('usage', 'the alternate IP must be another address of the same family as the listen address');
  }
  return { family, addresses: [ip, alternateIp], optional: false };
}

/** This host's other address: on the interface of the alternate one, else on any but loopback. */
export function primaryBeside(alternateIp: string, host: Interfaces): string {
  const family = familyOf(alternateIp);
  const interfaces = Object.values(host).map((addresses) => addresses ?? []);
  const beside = interfaces.filter((addresses) => addresses.some(({ address }) => address === alternateIp));
  const elsewhere = interfaces.filter((addresses) => addresses.every(({ internal }) => !internal));
  const candidates = [...beside, ...elsewhere].flat().map(({ address }) => address);
  const primary = candidates.find((ip) => ip !== alternateIp && isIP(ip) === family && !ip.startsWith('fe80:'));
  if (primary === undefined) throw new WarrenError('usage', 'an alternate IP needs a second address beside it');
  return primary;
}

function familyOf(ip: string): Family {
  const family = isIP(ip);
  if (family !== 4 && family !== 6) throw new WarrenError('usage', `not an IP address: ${ip}`);
  return family;
}

type Ports = [number, number];

async function bindPlan(plan: PlannedGrid[], wanted: Ports): Promise<{ grids: Grid[]; ports: Ports }> {
  for (let attempt = 1; ; attempt++) {
    const grids: Grid[] = [];
    const ports: Ports = [...wanted];
    try {
      for (const planned of plan) {
        const grid = await bindGrid(planned, ports);
        if (grid !== null) grids.push(grid);
      }
      return { grids, ports };
    } catch (error) {
      await closeAll(grids);
      const drawn = wanted.includes(0) && codeOf(error) === 'EADDRINUSE';
      if (!drawn || attempt === BIND_ATTEMPTS) throw error;
    }
  }
}

/** Fills in ports that were drawn, so that the next address takes the same. Null for a family the host lacks. */
async function bindGrid({ family, addresses, optional }: PlannedGrid, ports: Ports): Promise<Grid | null> {
  const grid: Grid = { family, addresses, sockets: [] };
  try {
    for (const address of addresses) {
      const row: Socket[] = [];
      grid.sockets.push(row);
      for (const half of [0, 1] as const) {
        const socket = await bind(family, address, ports[half]);
        row.push(socket);
        ports[half] = socket.address().port;
      }
    }
    return grid;
  } catch (error) {
    await closeAll([grid]);
    if (optional && ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(codeOf(error))) return null;
    throw error;
  }
}

async function bind(family: Family, address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

interface Service {
  options: StunServerOptions;
  ports: Ports;
  limit: StunRateLimit;
}

function serve(grid: Grid, { options, ports, limit }: Service): void {
  const { counters } = options;
  const layout: StunLayout = {
    twoAddresses: grid.addresses.length === 2,
    published: ({ address, port }) => publishedEndpoint(grid, options, address, ports[port]),
  };
  const answer = (bytes: Buffer, remote: RemoteInfo, arrived: Position) => {
    const client: Endpoint = { ip: plainAddress(remote.address), port: remote.port };
    if (!limit.admits(client.ip, performance.now())) {
      counters.stun['rate-limited']++;
      return;
    }
    const result = answerStun(bytes, client, arrived, layout);
    counters.stun[result.outcome]++;
    if (!('bytes' in result)) return;
    // A lost answer is what UDP is: the client asks again.
    grid.sockets[result.from.address]?.[result.from.port]?.send(result.bytes, result.port, remote.address, ignore);
  };
  for (const [address, row] of grid.sockets.entries()) {
    for (const [port, socket] of row.entries()) {
      const arrived = { address, port } as Position;
      socket.on('message', (bytes, remote) => answer(bytes, remote, arrived));
      socket.on('error', ignore);
    }
  }
}

/** Null where the socket is bound to every address and nothing is advertised. */
function publishedEndpoint(
  grid: Grid,
  { advertised }: StunServerOptions,
  address: 0 | 1,
  port: number,
): Endpoint | null {
  const override = address === 0 ? advertised?.ip : advertised?.alternateIp;
  const bound = grid.addresses[address];
  if (override !== undefined && isIP(override) === grid.family) return { ip: override, port };
  return bound === undefined || bound === '0.0.0.0' || bound === '::' ? null : { ip: bound, port };
}

async function closeAll(grids: Grid[]): Promise<void> {
  const sockets = grids.flatMap((grid) => grid.sockets.flat());
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function ignore(): void {}
