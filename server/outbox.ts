/**
 * What waits for one reader. Frames go straight to the socket while it keeps up. For a slow reader three queues form:
 * control messages, signals and WireGuard handshakes, of which nothing is ever dropped; small data, which is a game's or
 * somebody's voice; and the rest. Both kinds of data lose their oldest frames, because what is new is worth more to a game.
 * Handshakes overtake data: without them no data can be opened.
 */
import { WebSocket } from 'ws';
import { SERVER_LIMITS } from '../protocol/limits.ts';
import { FRAME_HEADER_BYTES } from '../protocol/server.ts';

/**
 * Bytes handed to the socket before frames wait here, where small ones pass and old ones can still be dropped. The kernel's own
 * queue keeps the link busy; this one only bridges the time until `written` is called.
 */
const WRITE_AHEAD_BYTES = 16 * 1024;

/** Lengths of WireGuard's handshake initiation, handshake response and cookie reply (whitepaper, 5.4). */
const HANDSHAKE_BYTES = [0, 148, 92, 64] as const;

interface Queued {
  bytes: Buffer;
  binary: boolean;
}

export interface OutboxOptions {
  socket: WebSocket;
  /** Limit of each of the queues. */
  backlogBytes: number;
  /** Called once a data frame was dropped for a newer one. */
  onDrop: () => void;
  /** The reader is beyond help: what must not be dropped passes the limit. */
  onTooSlow: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #socket: WebSocket;
  readonly #urgent = new FrameQueue();
  readonly #express = new FrameQueue();
  readonly #data = new FrameQueue();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#socket = options.socket;
  }

  control(json: string): void {
    this.#deliver({ bytes: Buffer.from(json), binary: false });
  }

  signal(frame: Buffer): void {
    this.#deliver({ bytes: frame, binary: true });
  }

  relay(frame: Buffer): void {
    if (isWireGuardHandshake(frame)) {
      this.#deliver({ bytes: frame, binary: true });
    } else if (this.#isEmpty() && this.#writable()) {
      this.#write({ bytes: frame, binary: true });
    } else {
      const queue = isSmall(frame) ? this.#express : this.#data;
      queue.push({ bytes: Buffer.from(frame), binary: true });
      while (queue.bytes > this.#options.backlogBytes) {
        queue.shift();
        this.#options.onDrop();
      }
    }
  }

  #isEmpty(): boolean {
    return this.#urgent.length === 0 && this.#express.length === 0 && this.#data.length === 0;
  }

  #deliver(item: Queued): void {
    if (this.#urgent.length === 0 && this.#writable()) {
      this.#write(item);
      return;
    }
    this.#urgent.push({ bytes: Buffer.from(item.bytes), binary: item.binary });
    if (this.#urgent.bytes > this.#options.backlogBytes) {
      this.#urgent.clear();
      this.#express.clear();
      this.#data.clear();
      this.#options.onTooSlow();
    }
  }

  #writable(): boolean {
    return this.#socket.bufferedAmount < WRITE_AHEAD_BYTES;
  }

  /** A frame is a view of a receive buffer; one that may have to wait is copied, so that it does not hold the whole. */
  #write({ bytes, binary }: Queued): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const data = this.#socket.bufferedAmount > 0 ? Buffer.from(bytes) : bytes;
    this.#socket.send(data, { binary }, this.#written);
  }

  readonly #written = (): void => {
    while (!this.#isEmpty() && this.#writable()) {
      const next = this.#urgent.shift() ?? this.#express.shift() ?? this.#data.shift();
      if (next === undefined || this.#socket.readyState !== WebSocket.OPEN) return;
      this.#socket.send(next.bytes, { binary: next.binary }, this.#written);
    }
  };
}

/** A relay frame that passes the others. */
export function isSmall(frame: Buffer): boolean {
  return frame.length <= FRAME_HEADER_BYTES + SERVER_LIMITS.expressPayloadBytes;
}

/** A relay frame whose payload has the type, the zero bytes and the exact length of a handshake message. */
function isWireGuardHandshake(frame: Buffer): boolean {
  const type = frame[FRAME_HEADER_BYTES] ?? 0;
  if (type < 1 || type > 3 || frame.length - FRAME_HEADER_BYTES !== HANDSHAKE_BYTES[type]) return false;
  return frame[FRAME_HEADER_BYTES + 1] === 0 && frame.readUInt16BE(FRAME_HEADER_BYTES + 2) === 0;
}

/** First in, first out, without moving the rest at each shift. */
class FrameQueue {
  #items: (Queued | undefined)[] = [];
  #head = 0;
  bytes = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Queued): void {
    this.#items.push(item);
    this.bytes += item.bytes.length;
  }

  shift(): Queued | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    this.bytes -= item.bytes.length;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.bytes = 0;
  }
}
