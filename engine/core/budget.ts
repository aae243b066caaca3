/**
 * Token bucket for connectivity checks of the whole client. 200 a second sustained keeps a home router's session table
 * calm (3-traversal, "Budgets"); the burst lets a room of eight gather at once.
 */
export const PROBES_PER_SECOND = 200;
export const PROBE_BURST = 400;

export class ProbeBudget {
  #tokens = PROBE_BURST;
  #at = 0;

  /** Takes one token at `now` (ms); false when none is left. */
  take(now: number): boolean {
    this.#tokens = Math.min(PROBE_BURST, this.#tokens + ((now - this.#at) * PROBES_PER_SECOND) / 1_000);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
