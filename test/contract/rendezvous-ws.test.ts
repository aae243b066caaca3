import { createServer } from 'node:net';
import { once } from 'node:events';
import { createRendezvous } from '../../engine/net/rendezvous/client.ts';
import { startServer } from '../../server/server.ts';
import { rendezvousContract } from './rendezvous-suite.ts';

rendezvousContract('client and server over ws', async () => {
  const server = await startServer({ host: '127.0.0.1', port: 0, stunPort: 0, drainMs: 20 });
  return {
    client: () => createRendezvous({ env: {} }),
    url: `ws://127.0.0.1:${server.port}`,
    deadUrl: `ws://127.0.0.1:${await freePort()}`,
    drain: () => void server.close(),
    async until(condition, limitMs) {
      const deadline = performance.now() + limitMs;
      while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
      return condition();
    },
    close: () => server.close(),
  };
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
