/**
 * Signals leave no faster than the server takes them: it drops what comes faster, and in a large room a profile for
 * everyone is more than a second's worth. Order is kept.
 */
import type { ServerIndex } from './contract.ts';

/** Of the server's rate and burst; the rest is for clocks that differ and frames that bunch up on the way. */
const SHARE = 0.8;
/** Half a minute's worth at the usual 50 a second: beyond that nobody waits for the answer. */
const MAX_QUEUED = 1_500;

interface Signal {
  member: string;
  payload: Uint8Array;
}

interface Lane {
  perMs: number;
  burst: number;
  tokens: number;
  at: number;
  queue: Signal[];
}

export class Pacer {
  readonly #lanes = new Map<ServerIndex, Lane>();

  /** A new connection begins with a full burst. */
  open(server: ServerIndex, signalsPerSecond: number, now: number): void {
    const burst = Math.max(1, signalsPerSecond * SHARE);
    this.#lanes.set(server, { perMs: burst / 1_000, burst, tokens: burst, at: now, queue: [] });
  }

  /** What has not left by then is lost with the connection. */
  close(server: ServerIndex): void {
    this.#lanes.delete(server);
  }

  add(server: ServerIndex, signal: Signal): void {
    const lane = this.#lanes.get(server);
    if (lane !== undefined && lane.queue.length < MAX_QUEUED) lane.queue.push(signal);
  }

  /** What may leave now; everything when `all`. */
  take(now: number, all = false): (Signal & { server: ServerIndex })[] {
    const out: (Signal & { server: ServerIndex })[] = [];
    for (const [server, lane] of this.#lanes) {
      lane.tokens = Math.min(lane.burst, lane.tokens + (now - lane.at) * lane.perMs);
      lane.at = now;
      const count = all ? lane.queue.length : Math.min(lane.queue.length, Math.floor(lane.tokens));
      lane.tokens -= count;
      out.push(...lane.queue.splice(0, count).map((signal) => ({ ...signal, server })));
    }
    return out;
  }

  deadline(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      if (lane.queue.length > 0) at = Math.min(at, now + Math.ceil((1 - lane.tokens) / lane.perMs));
    }
    return at;
  }
}
