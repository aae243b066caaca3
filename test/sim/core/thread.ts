/**
 * The main thread of one engine: everything that JavaScript would run there goes through it, so that a stall delays
 * timers and callbacks as a real one does, while native code goes on.
 */
import type { Timeline } from './timeline.ts';

export class MainThread {
  readonly #timeline: Timeline;
  #waiting: (() => void)[] = [];
  #busyUntil = 0;
  #stopped = false;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Runs `work` now, or in order after the stall. */
  run(work: () => void): void {
    if (this.#stopped) return;
    if (this.#timeline.now() < this.#busyUntil) {
      this.#waiting.push(work);
      return;
    }
    work();
    this.#timeline.touch();
  }

  /** A callback of this thread at virtual time `at` or later; the result cancels. */
  at(at: number, work: () => void): () => void {
    let cancelled = false;
    const cancel = this.#timeline.at(at, () =>
      this.run(() => {
        if (!cancelled) work();
      }),
    );
    return () => {
      cancelled = true;
      cancel();
    };
  }

  get busy(): boolean {
    return this.#timeline.now() < this.#busyUntil;
  }

  /** Nothing runs for `ms`. */
  stall(ms: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, this.#timeline.now() + ms);
    this.#timeline.at(this.#busyUntil, () => this.#resume());
  }

  /** The process was killed: nothing runs again. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  #resume(): void {
    while (this.#waiting.length > 0 && !this.busy) {
      const work = this.#waiting.shift() as () => void;
      work();
      this.#timeline.touch();
    }
  }
}
