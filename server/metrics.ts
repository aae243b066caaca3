/** `/healthz` and Prometheus' `/metrics`, on a port of their own so that they are never public by accident. */
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Counters } from './counters.ts';

export interface MetricsSource {
  counters: Readonly<Counters>;
  gauges: () => { connections: number; members: number; rooms: number };
  healthy: () => boolean;
}

/** Not listening yet. */
export function createMetricsServer(source: MetricsSource): Server {
  const registry = createRegistry(source);
  return createServer((request, response) => {
    if (request.url === '/healthz') {
      const healthy = source.healthy();
      response.writeHead(healthy ? 200 : 503, { 'Content-Type': 'text/plain' }).end(healthy ? 'ok\n' : 'draining\n');
    } else if (request.url === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    } else {
      response.writeHead(404).end();
    }
  });
}

function createRegistry({ counters, gauges }: MetricsSource): Registry {
  const registry = new Registry();
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `warren_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const total = (name: string, help: string, read: () => number) =>
    new Counter({
      name: `warren_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const totals = (name: string, help: string, label: string, read: () => Record<string, number>) =>
    new Counter({
      name: `warren_${name}_total`,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
      },
    });

  gauge('connections', 'WebSockets, greeting ones included', () => gauges().connections);
  gauge('members', 'Members in all rooms', () => gauges().members);
  gauge('rooms', 'Rooms with somebody in them', () => gauges().rooms);
  gauge('resident_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
  total('welcomed', 'Members welcomed', () => counters.welcomed);
  total('resumed', 'Members that took over a half-open connection', () => counters.resumed);
  total('silent', 'Connections ended for silence', () => counters.silent);
  total('signals', 'Signals passed on', () => counters.signals);
  total('relay_frames', 'Relay frames passed on', () => counters.relayFrames);
  total('relay_bytes', 'Relay payload bytes passed on', () => counters.relayBytes);
  totals('dropped', 'Frames not passed on', 'reason', () => counters.dropped);
  totals('errors', 'Error codes answered', 'code', () => counters.errors);
  totals('stun', 'STUN datagrams received', 'outcome', () => counters.stun);
  return registry;
}
