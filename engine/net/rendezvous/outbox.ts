/**
 * Relay frames on their way to the server. Little is handed to the socket ahead of time: what it has cannot be passed any more.
 * A game's frames leave before the others, and those take turns by receiver; of each kind the newest is dropped when too much
 * waits, as by a router, which is how TCP inside the tunnel learns to slow down.
 */
import type { WebSocket } from 'ws';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import { FRAME_HEADER_BYTES } from '../../../protocol/server.ts';

/** Bytes at the socket that the kernel has not taken yet. */
const WRITE_AHEAD_BYTES = 8 * 1024;
/** Bytes of each kind that may wait: 100 ms at 5 Mbit/s. What waits longer is stale. */
const QUEUE_BYTES = 64 * 1024;

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
    while (socket.readyState === socket.OPEN && socket.bufferedAmount < WRITE_AHEAD_BYTES) {
      const frame = this.#express.shift() ?? this.#shiftBulk();
      if (frame === undefined) return;
      socket.send(frame, () => this.#flush(socket));
    }
  }
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
