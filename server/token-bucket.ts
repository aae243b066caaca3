/** A rate with a burst. `now` is a monotonic clock in milliseconds. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes `amount` if that leaves `reserve` (default 0) for others; a refused call costs nothing. */
  take(amount: number, now: number, reserve = 0): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#tokens - reserve < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Milliseconds until `amount` will be there, above `reserve` (default 0). */
  waitMs(amount: number, reserve = 0): number {
    return Math.max(0, Math.ceil((amount + reserve - this.#tokens) / this.#perMs));
  }
}
