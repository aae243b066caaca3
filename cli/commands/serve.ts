/** `warren serve`: rendezvous, relay and STUN in the foreground, until a signal. */
import { readFileSync } from 'node:fs';
import { WarrenError } from '../../protocol/errors.ts';
import { type RunningServer, startServer } from '../../server/server.ts';
import { aborted, type Io } from '../io.ts';

export interface ServeArguments {
  listen: { host?: string; port: number };
  stunPort?: number;
  alternateIp?: string;
  tlsCert?: string;
  tlsKey?: string;
  metrics?: { host: string; port: number };
  trustProxy?: string[];
  json?: boolean;
}

export async function serve(asked: ServeArguments, io: Io): Promise<number> {
  const interrupted = io.interrupted();
  const server = await startServer({
    ...asked.listen,
    ...(asked.stunPort === undefined ? {} : { stunPort: asked.stunPort }),
    ...(asked.alternateIp === undefined ? {} : { alternateIp: asked.alternateIp }),
    ...(asked.metrics === undefined ? {} : { metrics: asked.metrics }),
    ...(asked.trustProxy === undefined ? {} : { trustProxy: asked.trustProxy }),
    ...tls(asked),
  });
  announce(server, asked, io);
  await aborted(interrupted);
  io.err('draining: members are told to come back later');
  await server.close();
  return 0;
}

function tls({ tlsCert, tlsKey }: ServeArguments): { tls?: { cert: string; key: string } } {
  if (tlsCert === undefined && tlsKey === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new WarrenError('usage', '--tls-cert and --tls-key go together');
  }
  return { tls: { cert: pem(tlsCert), key: pem(tlsKey) } };
}

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new WarrenError('usage', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function announce(server: RunningServer, asked: ServeArguments, io: Io): void {
  const scheme = asked.tlsCert === undefined ? 'ws' : 'wss';
  const everywhere = server.host === '::' || server.host === '0.0.0.0';
  const host = server.host.includes(':') ? `[${server.host}]` : server.host;
  const url = `${scheme}://${everywhere ? 'THIS-MACHINE' : host}:${server.port}`;
  if (asked.json) {
    const { port, stun, metrics } = server;
    io.out(JSON.stringify({ listening: { host: server.host, port, tls: scheme === 'wss', stun, metrics } }));
    return;
  }
  io.out(
    `rendezvous and relay on ${host}:${server.port} (TCP), STUN on ports ${server.stun.port} and ${server.stun.secondPort} (UDP)`,
  );
  if (server.metrics !== null) io.out(`health and metrics on http://${server.metrics.host}:${server.metrics.port}`);
  io.out(`members join with: warren up --room NAME --server ${url}`);
  if (scheme === 'ws') io.err('Without a certificate the way here is not encrypted; what members say is, end to end.');
}
