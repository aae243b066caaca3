/** One direction of a wire: delay, jitter, loss, reorder, duplication, and a bottleneck with a drop-tail queue. */
import type { Random } from '../core/random.ts';
import type { Timeline } from '../core/timeline.ts';

export interface LinkOptions {
  /** One-way, milliseconds. Default 0. */
  delayMs?: number;
  /** Added uniformly from [0, jitterMs]; order is kept. Default 0. */
  jitterMs?: number;
  /** Probability, 0 to 1. Default 0. */
  loss?: number;
  /** Probability that a packet is overtaken: it is late by up to 4 delays. Default 0. */
  reorder?: number;
  /** Probability that a packet arrives twice. Default 0. */
  duplicate?: number;
  /** Default: no bottleneck. */
  bitsPerSecond?: number;
  /** Bytes that wait before the bottleneck; more are dropped. Default 64 KiB. */
  queueBytes?: number;
  /** Larger packets vanish without a word (an MTU black hole). Default: none do. */
  mtu?: number;
}

export class Link {
  options: LinkOptions;
  /** false: everything is lost. */
  up = true;
  dropped = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  #lastArrival = 0;
  #busyUntil = 0;

  constructor(timeline: Timeline, random: Random, options: LinkOptions = {}) {
    this.#timeline = timeline;
    this.#random = random;
    this.options = options;
  }

  /** Calls `deliver` when (and as often as) `size` bytes come out at the other end. */
  transmit(size: number, deliver: () => void): void {
    const { loss = 0, duplicate = 0, mtu = Number.POSITIVE_INFINITY } = this.options;
    const departure = this.#departure(size);
    if (!this.up || size > mtu || departure === null || this.#random.chance(loss)) {
      this.dropped++;
      return;
    }
    this.#arrive(departure, deliver);
    if (this.#random.chance(duplicate)) this.#arrive(departure, deliver);
  }

  /** Arrival of `size` bytes of a reliable stream that leave at `at`: loss costs retransmission time, not data. */
  streamArrival(size: number, at: number): number {
    const { delayMs = 0, jitterMs = 0, loss = 0, bitsPerSecond } = this.options;
    let arrival = at + delayMs + (jitterMs > 0 ? this.#random.float() * jitterMs : 0);
    if (bitsPerSecond !== undefined) {
      this.#busyUntil = Math.max(at, this.#busyUntil) + (size * 8_000) / bitsPerSecond;
      arrival += this.#busyUntil - at;
    }
    // Fast retransmit is not modelled: each loss costs a retransmission time-out (RFC 6298: at least 200 ms in practice).
    for (let timeout = 200; this.#random.chance(loss) && timeout < 10_000; timeout *= 2) arrival += timeout;
    return arrival;
  }

  /** When the last bit leaves the sender; null when the queue is full. */
  #departure(size: number): number | null {
    const now = this.#timeline.now();
    const { bitsPerSecond, queueBytes = 65_536 } = this.options;
    if (bitsPerSecond === undefined) return now;
    const backlog = Math.max(0, this.#busyUntil - now);
    if ((backlog * bitsPerSecond) / 8_000 + size > queueBytes) return null;
    this.#busyUntil = now + backlog + (size * 8_000) / bitsPerSecond;
    return this.#busyUntil;
  }

  #arrive(departure: number, deliver: () => void): void {
    const { delayMs = 0, jitterMs = 0, reorder = 0 } = this.options;
    const at = departure + delayMs + (jitterMs > 0 ? this.#random.float() * jitterMs : 0);
    if (this.#random.chance(reorder)) {
      this.#timeline.at(at + this.#random.float() * 4 * Math.max(1, delayMs), deliver);
      return;
    }
    this.#lastArrival = Math.max(at, this.#lastArrival);
    this.#timeline.at(this.#lastArrival, deliver);
  }
}
