/** Requests a source may send: an answer is about twice its request, so a forged source must not get many. */
import { sourceKey } from '../source.ts';
import { TokenBucket } from '../token-bucket.ts';

/** A punch measures with a few hundred sockets at once, and a carrier's NAT puts several players behind one address. */
const BURST = 600;
const PER_SECOND = 100;
/** Bound of the table, about 4 MB. Who floods it with forged sources forgets only the oldest. */
const MAX_SOURCES = 16_384;

export class StunRateLimit {
  readonly #buckets = new Map<string, TokenBucket>();

  /** `now` in milliseconds of a monotonic clock. */
  admits(ip: string, now: number): boolean {
    const key = sourceKey(ip);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(PER_SECOND, BURST, now);
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
