/**
 * The main thread of one engine: everything that JavaScript would run there goes through it, so that a stall delays
 * timers and callbacks as a real one does, while native code goes on.
 */
import type { Timeline } from './timeline.ts';

export class MainThread {
  readonly #timeline: Timeline;
  #waiting: (() => void)[] = [];
  /** Of these the event loop runs what is due before it takes what came in meanwhile. */
  #due: (() => void)[] = [];
  #busyUntil = 0;
  #stopped = false;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Runs `work`, which came in from elsewhere, now or in order after the stall. */
  run(work: () => void): void {
    this.#runOr(this.#waiting, work);
  }

  /** A callback of this thread at virtual time `at` or later; the result cancels. */
  at(at: number, work: () => void): () => void {
    let cancelled = false;
    const cancel = this.#timeline.at(at, () =>
      this.#runOr(this.#due, () => {
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
    this.#due = [];
  }

  #runOr(queue: (() => void)[], work: () => void): void {
    if (this.#stopped) return;
    if (this.busy) {
      queue.push(work);
      return;
    }
    work();
    this.#timeline.touch();
  }

  #resume(): void {
    while (!this.busy) {
      const work = this.#due.shift() ?? this.#waiting.shift();
      if (work === undefined) return;
      work();
      this.#timeline.touch();
    }
  }
}
