/** The server of the load bench in a process of its own, so that its CPU time and memory are its alone. */
import { startServer } from '../../server/server.ts';

const MANY = 1_000_000;

export interface ServerUsage {
  /** Microseconds of CPU time, user and system. */
  cpuUs: number;
  rssBytes: number;
}

const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  stunPort: 0,
  drainMs: 0,
  // Every load comes from one address here.
  limits: { connectionsPerSource: MANY, roomsPerSource: MANY, relayBytesPerSecond: 1e9 },
});

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() } satisfies ServerUsage);
});
process.on('disconnect', () => void server.close().then(() => process.exit(0)));
process.send?.({ port: server.port });
