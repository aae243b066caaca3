/** Anti-replay window over rising 53-bit counters (RFC 6479's idea, 8,192 entries, as WireGuard has it). */
const SIZE = 8_192;

export class ReplayWindow {
  readonly #seen = new Set<number>();
  #highest = -1;

  /** True for a counter seen for the first time and not too old. */
  accept(counter: number): boolean {
    if (counter <= this.#highest - SIZE || this.#seen.has(counter)) return false;
    this.#seen.add(counter);
    if (counter > this.#highest) {
      this.#highest = counter;
      if (this.#seen.size > 2 * SIZE) for (const old of this.#seen) if (old <= counter - SIZE) this.#seen.delete(old);
    }
    return true;
  }
}
