/** How a NAT draws the external port of its next mapping (the port models of the design's traversal page). */
import type { Random } from '../core/random.ts';

export type PortAllocation =
  /** The inside port while it is free, else the next free one or a random one. */
  | { kind: 'preserved'; conflict?: 'next' | 'random' }
  /** `foreignPerSecond`: ports that other customers draw from the same counter meanwhile (Poisson). */
  | { kind: 'sequential'; step: number; foreignPerSecond?: number; low?: number; high?: number }
  /** Each inside address owns one aligned block (RFC 7422). */
  | { kind: 'block'; size: number; within: 'random' | 'sequential' }
  | { kind: 'random'; low?: number; high?: number };

const LOW = 1_024;
const HIGH = 65_535;

export interface PortAllocator {
  /** Null when no free port is left. `insidePort` and `insideIp` are of the mapping's owner. */
  next(now: number, insideIp: string, insidePort: number, free: (port: number) => boolean): number | null;
}

export function createAllocator(model: PortAllocation, random: Random): PortAllocator {
  switch (model.kind) {
    case 'preserved':
      return preserved(model.conflict ?? 'next', random);
    case 'sequential':
      return sequential(model, random);
    case 'block':
      return block(model, random);
    case 'random':
      return { next: (_now, _ip, _port, free) => drawRandom(random, model.low ?? LOW, model.high ?? HIGH, free) };
  }
}

function preserved(conflict: 'next' | 'random', random: Random): PortAllocator {
  return {
    next(_now, _ip, port, free) {
      if (free(port)) return port;
      return conflict === 'random' ? drawRandom(random, LOW, HIGH, free) : walk(port, 1, LOW, HIGH, free);
    },
  };
}

function sequential(model: Extract<PortAllocation, { kind: 'sequential' }>, random: Random): PortAllocator {
  const { step, foreignPerSecond = 0, low = LOW, high = HIGH } = model;
  let last = random.int(low, high);
  let since = 0;
  return {
    next(now, _ip, _port, free) {
      const foreign = random.poisson((foreignPerSecond * (now - since)) / 1_000);
      since = now;
      const port = walk(wrap(last + foreign * step, low, high), step, low, high, free);
      if (port !== null) last = port;
      return port;
    },
  };
}

function block(model: Extract<PortAllocation, { kind: 'block' }>, random: Random): PortAllocator {
  const blocks = new Map<string, { low: number; last: number }>();
  const taken = new Set<number>();
  const count = Math.floor((HIGH + 1) / model.size);
  const first = Math.ceil(LOW / model.size);
  return {
    next(_now, ip, _port, free) {
      let own = blocks.get(ip);
      if (own === undefined) {
        const index = drawRandom(random, first, count - 1, (i) => !taken.has(i));
        if (index === null) return null;
        taken.add(index);
        own = { low: index * model.size, last: index * model.size };
        blocks.set(ip, own);
      }
      const high = own.low + model.size - 1;
      if (model.within === 'random') return drawRandom(random, own.low, high, free);
      const port = walk(own.last, 1, own.low, high, free);
      if (port !== null) own.last = port;
      return port;
    },
  };
}

/** The first free port after `from`, by `step`, once around the range. */
function walk(from: number, step: number, low: number, high: number, free: (port: number) => boolean): number | null {
  const tries = Math.ceil((high - low + 1) / Math.abs(step));
  for (let i = 1; i <= tries; i++) {
    const port = wrap(from + i * step, low, high);
    if (free(port)) return port;
  }
  return null;
}

function wrap(port: number, low: number, high: number): number {
  const size = high - low + 1;
  return low + ((((port - low) % size) + size) % size);
}

function drawRandom(random: Random, low: number, high: number, free: (port: number) => boolean): number | null {
  for (let i = 0; i < 32; i++) {
    const port = random.int(low, high);
    if (free(port)) return port;
  }
  return walk(random.int(low, high), 1, low, high, free);
}
