/**
 * Path MTU by padded probes (RFC 8899 in spirit): never by ICMP, which anybody can forge and many routers swallow. Sizes
 * are IP packets, outer headers included. A ping is answered by a short pong, so it proves our direction alone.
 *
 * 1. A new path carries 1,280. A few common sizes leave at once; what is answered is the MTU so far.
 * 2. Unless the largest was answered, every known size above that follows, in rounds, because probes get lost too; twice more
 *    seconds later, because a Wi-Fi that roams and a process that waits for its turn lose a whole search.
 * 3. While data flows, a probe of the full size leaves now and then. When several in a row stay unanswered on a path that
 *    answers small ones, it has become a black hole for big packets: back to 1,280, and searched again.
 */
import {
  BASE_MTU,
  BLACK_HOLE_AFTER,
  COMMON_MTUS,
  KNOWN_MTUS,
  MTU_AGAIN_MS,
  MTU_CONFIRM_MS,
  MTU_RAISE_MS,
  MTU_ROUNDS,
} from './tuning.ts';

const LARGEST = Math.max(...KNOWN_MTUS);

export class PathMtu {
  #mtu = BASE_MTU;
  /** Rounds that have left; as many as there are: nothing is sought. */
  #rounds = 0;
  /** Second opinions that have been asked for. */
  #again = 0;
  /** Of the last round, what the budget held back: silence about these says nothing. */
  #withheld: number[] = [];
  /** Next round, or the next search. */
  #roundAt = Number.NEGATIVE_INFINITY;
  /** The probe of the full size that is not answered yet. */
  #confirming: number | null = null;
  #unanswered = 0;
  #confirmedAt = Number.NEGATIVE_INFINITY;

  /** Longest IP packet that is known to pass. */
  get mtu(): number {
    return this.#mtu;
  }

  /** A new way, or the old one by another network: nothing is known. */
  restart(): void {
    this.#mtu = BASE_MTU;
    this.#rounds = 0;
    this.#again = 0;
    this.#withheld = [];
    this.#roundAt = Number.NEGATIVE_INFINITY;
    this.#confirming = null;
    this.#unanswered = 0;
  }

  /**
   * Sizes to probe now, largest first. `timeoutMs` after a probe its answer is overdue; `active`: data flows; `answers`:
   * small probes are answered, so that silence is about size.
   */
  due(now: number, path: { timeoutMs: number; active: boolean; answers: boolean }): number[] {
    if (now >= this.#roundAt) return this.#search(now, path.timeoutMs);
    return path.active && this.#mtu > BASE_MTU ? this.#confirm(now, path) : [];
  }

  nextAt(path: { timeoutMs: number; active: boolean }): number {
    const confirmAt =
      path.active && this.#mtu > BASE_MTU ? this.#nextConfirmAt(path.timeoutMs) : Number.POSITIVE_INFINITY;
    return Math.min(this.#roundAt, confirmAt);
  }

  /** A probe of this size came through. */
  answered(size: number, now: number): void {
    this.#mtu = Math.max(this.#mtu, size);
    if (size < this.#mtu) return;
    this.#confirmedAt = now;
    this.#confirming = null;
    this.#unanswered = 0;
  }

  /** A probe of this size did not leave: it is due again before the next round. */
  withheld(size: number): void {
    this.#withheld.push(size);
  }

  #search(now: number, timeoutMs: number): number[] {
    const withheld = this.#withheld.splice(0).filter((size) => size > this.#mtu);
    if (withheld.length > 0) {
      this.#roundAt = now + timeoutMs;
      return withheld;
    }
    if (this.#mtu >= LARGEST || this.#rounds >= MTU_ROUNDS) {
      this.#roundAt = now + this.#pauseMs();
      return [];
    }
    this.#rounds += 1;
    this.#roundAt = now + timeoutMs;
    const sizes = this.#rounds === 1 ? COMMON_MTUS : KNOWN_MTUS;
    return sizes.filter((size) => size > this.#mtu);
  }

  /** To the next opinion, then until a detour around a narrow link may have gone (RFC 8899, PMTU_RAISE_TIMER). */
  #pauseMs(): number {
    const soon = this.#mtu < LARGEST ? MTU_AGAIN_MS[this.#again] : undefined;
    this.#again = soon === undefined ? 0 : this.#again + 1;
    this.#rounds = soon === undefined ? 0 : MTU_ROUNDS - 1;
    return soon ?? MTU_RAISE_MS;
  }

  #confirm(now: number, path: { timeoutMs: number; answers: boolean }): number[] {
    if (now < this.#nextConfirmAt(path.timeoutMs)) return [];
    if (this.#confirming !== null && path.answers) this.#unanswered += 1;
    if (this.#unanswered >= BLACK_HOLE_AFTER) {
      this.restart();
      return this.#search(now, path.timeoutMs);
    }
    this.#confirming = now;
    return [this.#mtu];
  }

  #nextConfirmAt(timeoutMs: number): number {
    return this.#confirming === null ? this.#confirmedAt + MTU_CONFIRM_MS : this.#confirming + timeoutMs;
  }
}
