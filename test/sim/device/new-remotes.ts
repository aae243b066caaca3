/** Which pings the native device answers (native/src/device/reached.h): nobody may fill the router from ever new ports. */
import type { Via } from '../../../engine/ports.ts';

/** How long something stands in a router that nothing refreshes. */
const LATELY_MS = 120_000;
const MOST = 8_192;

export class NewRemotes {
  /** When a datagram last left, by socket and address. */
  readonly #sentAt = new Map<string, number>();
  answered = 0;
  #allowed = Number.POSITIVE_INFINITY;

  allow(total: number): void {
    this.#allowed = total;
  }

  sent(now: number, via: Via): void {
    if (via === 'external') return;
    const key = keyOf(via);
    if (!this.#sentAt.has(key) && this.#sentAt.size >= MOST) {
      for (const [old, at] of this.#sentAt) if (now - at > LATELY_MS) this.#sentAt.delete(old);
      if (this.#sentAt.size >= MOST) return;
    }
    this.#sentAt.set(key, now);
  }

  /** `onPath`: the ping came by the peer's own path. */
  answer(now: number, via: Via, onPath: boolean): 'known' | 'new' | 'refused' {
    if (via === 'external') return 'known';
    const at = this.#sentAt.get(keyOf(via));
    const known = at !== undefined && now - at <= LATELY_MS;
    if (!known && !onPath && this.answered >= this.#allowed) return 'refused';
    if (!known) this.answered++;
    this.sent(now, via);
    return known ? 'known' : 'new';
  }
}

function keyOf({ socket, remote }: Exclude<Via, 'external'>): string {
  return `${socket} ${remote.ip} ${remote.port}`;
}
