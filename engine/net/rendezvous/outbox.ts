/**
 * Relay frames on their way to the server. Little is handed to the socket ahead of time: what it has cannot be passed any more.
 * A game's frames leave before the others, and those take turns by receiver; of each kind the newest is dropped when too much
 * waits, as by a router, which is how TCP inside the tunnel learns to slow down. Bulk keeps to the rate above which the server
 * drops: it waits here, where a game passes it, and not in everybody's way.
 */
import { performance } from 'node:perf_hooks';
import type { WebSocket } from 'ws';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import { FRAME_HEADER_BYTES } from '../../../protocol/server.ts';

/** Bytes at the socket that the kernel has not taken yet. */
const WRITE_AHEAD_BYTES = 8 * 1024;
/** Bytes of each kind that may wait: 100 ms at 5 Mbit/s. What waits longer is stale. */
const QUEUE_BYTES = 64 * 1024;
/** Share of the server's rate: what else it counts, and clocks that differ, have the rest. */
const RATE_SHARE = 0.98;
/** Bulk leaves in portions of this time at the least, and of at most the other one after a pause or a busy moment. */
const PORTION_MS = 2;
const MOST_MS = 25;
/** Bytes a second, whatever a server says: a full frame within MOST_MS. */
const SLOWEST_RATE = 64_000;

export interface RelayFrame {
  /** The member it goes to. */
  to: string;
  bytes: Uint8Array;
  /** Whether it passes bulk, as the device says; by its length where that is unknown. */
  express: boolean | undefined;
}

export class RelayOutbox {
  readonly #express = new Lane();
  /** By receiver. The first is next, and goes to the end with what it still has. */
  readonly #bulk = new Map<string, Lane>();
  /** Bytes a millisecond. */
  #rate = rateOf(SERVER_LIMITS.relayBytesPerSecond);
  /** Bytes that may leave now. From 0 on down bulk waits; a game's frames take them without asking. */
  #credit = this.#rate * MOST_MS;
  readonly #now: () => number;
  #creditedAt: number;
  /** While bulk waits for credit. */
  #timer: NodeJS.Timeout | undefined;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#creditedAt = now();
  }

  /** `bytesPerSecond`: what this server lets through. Default: what ours does. */
  pace(bytesPerSecond: number): void {
    this.#rate = rateOf(bytesPerSecond);
    this.#credit = this.#rate * MOST_MS;
  }

  /** Nothing leaves any more. Idempotent. */
  close(): void {
    clearTimeout(this.#timer);
  }

  /** False: dropped. */
  send(socket: WebSocket, { to, bytes, express }: RelayFrame): boolean {
    const small = bytes.length <= FRAME_HEADER_BYTES + SERVER_LIMITS.expressPayloadBytes;
    const taken = (express ?? small) ? this.#express.push(bytes, QUEUE_BYTES) : this.#pushBulk(to, bytes);
    if (taken) this.#flush(socket);
    return taken;
  }

  /** Each receiver has an equal share of the room. */
  #pushBulk(to: string, bytes: Uint8Array): boolean {
    const lane = this.#bulk.get(to) ?? new Lane();
    this.#bulk.set(to, lane);
    return lane.push(bytes, QUEUE_BYTES / this.#bulk.size);
  }

  #shiftBulk(): Uint8Array | undefined {
    for (const [to, lane] of this.#bulk) {
      const frame = lane.shift();
      this.#bulk.delete(to);
      if (lane.bytes > 0) this.#bulk.set(to, lane);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  #flush(socket: WebSocket): void {
    this.#earn();
    while (socket.readyState === socket.OPEN && socket.bufferedAmount < WRITE_AHEAD_BYTES) {
      const frame = this.#express.shift() ?? (this.#credit > 0 ? this.#shiftBulk() : undefined);
      if (frame === undefined) return this.#wait(socket);
      this.#credit = Math.max(-this.#rate * MOST_MS, this.#credit - frame.length);
      socket.send(frame, () => this.#flush(socket));
    }
  }

  #earn(): void {
    const now = this.#now();
    this.#credit = Math.min(this.#rate * MOST_MS, this.#credit + this.#rate * (now - this.#creditedAt));
    this.#creditedAt = now;
  }

  /** Until a portion may leave, where something waits for it. */
  #wait(socket: WebSocket): void {
    if (this.#bulk.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#flush(socket);
      },
      Math.ceil(PORTION_MS - this.#credit / this.#rate),
    );
  }
}

function rateOf(bytesPerSecond: number): number {
  return (Math.max(SLOWEST_RATE, bytesPerSecond) * RATE_SHARE) / 1_000;
}

/** First in, first out. At most some hundred frames wait: moving them costs less than a ring would. */
class Lane {
  readonly #frames: Uint8Array[] = [];
  bytes = 0;

  push(frame: Uint8Array, limit: number): boolean {
    if (this.bytes > 0 && this.bytes + frame.length > limit) return false;
    this.#frames.push(frame);
    this.bytes += frame.length;
    return true;
  }

  shift(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    this.bytes -= frame?.length ?? 0;
    return frame;
  }
}
