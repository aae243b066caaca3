/** `npm run bench [connect|failover|idle|queue|renderer|rtt|server|tunnel] [runs]`: prints Markdown tables, to be kept in docs/benchmarks.md. */
import { benchConnect } from './connect.ts';
import { benchFailover } from './failover.ts';
import { benchIdle } from './idle.ts';
import { benchQueue } from './queue.ts';
import { benchRenderer } from './renderer.ts';
import { benchRoundTrips } from './round-trips.ts';
import { benchServerLoad } from './server-load.ts';
import { benchTunnel } from './tunnel.ts';

const benches: Record<string, { runs: number; run: (runs: number) => Promise<string> }> = {
  connect: { runs: 30, run: benchConnect },
  failover: { runs: 1, run: benchFailover },
  idle: { runs: 60, run: benchIdle },
  queue: { runs: 20, run: benchQueue },
  renderer: { runs: 10, run: benchRenderer },
  rtt: { runs: 20, run: benchRoundTrips },
  server: { runs: 10_000, run: benchServerLoad },
  tunnel: { runs: 5, run: benchTunnel },
};

const [asked, runs] = process.argv.slice(2);
const chosen = asked === undefined ? Object.keys(benches) : [asked];
for (const name of chosen) {
  const bench = benches[name];
  if (!bench) {
    process.stderr.write(`bench: ${name} is none of ${Object.keys(benches).join(', ')}\n`);
    process.exit(2);
  }
  process.stdout.write(`\n## ${name}\n\n${await bench.run(Number(runs ?? bench.runs))}\n`);
}
