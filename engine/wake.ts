import type { ClockPort } from './ports.ts';

/**
 * One pending wake-up for one core. A core names its earliest deadline after each event; an earlier one replaces a
 * later one, and a tick that comes early does no harm.
 */
export class Waker {
  readonly #clock: ClockPort;
  readonly #tick: () => void;
  #at = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(clock: ClockPort, tick: () => void) {
    this.#clock = clock;
    this.#tick = tick;
  }

  wakeAt(at: number): void {
    if (at >= this.#at) return;
    this.#cancel?.();
    this.#at = at;
    this.#cancel = this.#clock.at(at, () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#cancel = null;
      this.#tick();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
