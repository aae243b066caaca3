/** Servers and clients of a test, ended after it. */
import { afterEach } from 'vitest';
import { type RunningServer, type ServerOptions, startServer } from '../../../server/server.ts';
import { Client, urlOf } from './client.ts';

const servers: RunningServer[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** On 127.0.0.1 with free ports and no drain, unless the test says otherwise. */
export async function running(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({ host: '127.0.0.1', port: 0, stunPort: 0, drainMs: 0, ...options });
  servers.push(server);
  return server;
}

export function connect(server: RunningServer, options?: ConstructorParameters<typeof Client>[1]): Client {
  const client = new Client(urlOf(server), options);
  clients.push(client);
  return client;
}

/** Two members of one room; with `acquainted` they have allowed each other. */
export async function pair(server: RunningServer, acquainted = false): Promise<[Client, Client]> {
  const a = await connect(server).joined();
  const b = await connect(server).joined();
  if (acquainted) {
    a.say({ t: 'allow', member: b.id });
    b.say({ t: 'allow', member: a.id });
    await Promise.all([a.settled(), b.settled()]);
  }
  return [a, b];
}
