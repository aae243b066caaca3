/**
 * How long a direct path must prove itself before it takes over from one that works, by how often direct paths to the member
 * have died in use: behind a NAT that forgets, each comes back by another port, and would be a new path with a clean record.
 */
import { DEATHS_FORGIVEN_AFTER_MS, RETURN_HOLD_FACTOR, RETURN_HOLD_MAX_MS, RETURN_HOLD_MS } from './tuning.ts';

export class ReturnHold {
  #deaths = 0;

  died(): void {
    this.#deaths += 1;
  }

  /** The path in use answers, and has lived and been used for so long. */
  lived(ms: number): void {
    if (ms > DEATHS_FORGIVEN_AFTER_MS) this.#deaths = 0;
  }

  /** `sameDied`: the path itself died in use. Another may follow the first death at once: somebody may have moved. */
  ms(sameDied: boolean): number {
    const deaths = sameDied ? this.#deaths : this.#deaths - 1;
    return deaths <= 0 ? 0 : Math.min(RETURN_HOLD_MS * RETURN_HOLD_FACTOR ** (deaths - 1), RETURN_HOLD_MAX_MS);
  }
}
