/** Requests to a gateway that may lose them: sent again after 250 ms, 500 ms, 1 s and so on (RFC 6886, 3.1). */
import { FIRST_WAIT_MS } from './tuning.ts';

interface Outstanding {
  bytes: Uint8Array;
  attempts: number;
  sent: number;
  nextAt: number;
}

export class Retransmissions {
  readonly #outstanding = new Map<string, Outstanding>();

  /** Sends at once, at the next `due`. A request with the same key is replaced. */
  start(now: number, key: string, bytes: Uint8Array, attempts: number): void {
    this.#outstanding.set(key, { bytes, attempts, sent: 0, nextAt: now });
  }

  /** Whether such a request waited for an answer: an answer to none is nobody's. */
  finish(key: string): boolean {
    return this.#outstanding.delete(key);
  }

  has(key: string): boolean {
    return this.#outstanding.has(key);
  }

  /** What leaves now, and the keys whose last wait is over. */
  due(now: number): { send: Uint8Array[]; expired: string[] } {
    const send: Uint8Array[] = [];
    const expired: string[] = [];
    for (const [key, request] of this.#outstanding) {
      if (request.nextAt > now) continue;
      if (request.sent === request.attempts) {
        this.#outstanding.delete(key);
        expired.push(key);
        continue;
      }
      send.push(request.bytes);
      request.nextAt = now + FIRST_WAIT_MS * 2 ** request.sent;
      request.sent += 1;
    }
    return { send, expired };
  }

  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const request of this.#outstanding.values()) next = Math.min(next, request.nextAt);
    return next;
  }
}
