/**
 * Relay frames on their way to the server. Little is handed to the socket ahead of time: what it has cannot be passed any more.
 * Small frames, a game's, leave before the others; of each kind the newest is dropped when too much waits, as by a router,
 * which is how TCP inside the tunnel learns to slow down.
 */
import type { WebSocket } from 'ws';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import { FRAME_HEADER_BYTES } from '../../../protocol/server.ts';

/** Bytes at the socket that the kernel has not taken yet. */
const WRITE_AHEAD_BYTES = 8 * 1024;
/** Bytes of each kind that may wait: 100 ms at 5 Mbit/s. What waits longer is stale. */
const QUEUE_BYTES = 64 * 1024;

export class RelayOutbox {
  readonly #express: Lane = { frames: [], bytes: 0 };
  readonly #bulk: Lane = { frames: [], bytes: 0 };

  /** False: dropped. */
  send(socket: WebSocket, frame: Uint8Array): boolean {
    const small = frame.length <= FRAME_HEADER_BYTES + SERVER_LIMITS.expressPayloadBytes;
    const lane = small ? this.#express : this.#bulk;
    if (lane.bytes + frame.length > QUEUE_BYTES) return false;
    lane.frames.push(frame);
    lane.bytes += frame.length;
    this.#flush(socket);
    return true;
  }

  #flush(socket: WebSocket): void {
    while (socket.readyState === socket.OPEN && socket.bufferedAmount < WRITE_AHEAD_BYTES) {
      const frame = shift(this.#express) ?? shift(this.#bulk);
      if (frame === undefined) return;
      socket.send(frame, () => this.#flush(socket));
    }
  }
}

interface Lane {
  frames: Uint8Array[];
  bytes: number;
}

/** At most some hundred frames wait: moving them costs less than a ring would. */
function shift(lane: Lane): Uint8Array | undefined {
  const frame = lane.frames.shift();
  lane.bytes -= frame?.length ?? 0;
  return frame;
}
