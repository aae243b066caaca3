/** How often a source may do something: a token bucket for each, in a table that strangers cannot make grow. */
import { sourceKey } from './source.ts';
import { TokenBucket } from './token-bucket.ts';

/** Bound of the table, about 4 MB. Who floods it with forged sources forgets only the oldest. */
const MAX_SOURCES = 16_384;

export class SourceRate {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** `now` in milliseconds of a monotonic clock. */
  admits(ip: string, now: number): boolean {
    const key = sourceKey(ip);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#perSecond, this.#burst, now);
      this.#buckets.set(key, bucket);
      if (this.#buckets.size > MAX_SOURCES) this.#forgetOldest();
    }
    return bucket.take(1, now);
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}
