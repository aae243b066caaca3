/**
 * Virtual time: one heap of events, ordered by (time, order of insertion), so that a run is a function of its seed.
 * Promises of the code under test settle between two events; real work (a worker's scrypt) is awaited by `hold`.
 */
interface Entry {
  at: number;
  order: number;
  /** Null once cancelled. */
  callback: (() => void) | null;
}

/**
 * Ticks of Node run when no promise is left that could go on, and cost a tenth of a turn of the event loop. That one comes now
 * and then, for the signals and timers of the process.
 */
const REAL_TURN_EVERY = 1_000;

export class Timeline {
  #now = 0;
  #order = 0;
  #unsettled = false;
  readonly #heap: Entry[] = [];
  #holds: Promise<unknown>[] = [];
  #events = 0;
  #settled = 0;

  /** Milliseconds since the world began. */
  now(): number {
    return this.#now;
  }

  /** Events run so far: a measure of work that does not depend on the machine. */
  get eventsRun(): number {
    return this.#events;
  }

  /** Runs `callback` once at `at` (never before now); the result cancels. */
  at(at: number, callback: () => void): () => void {
    const entry: Entry = { at: Math.max(at, this.#now), order: this.#order++, callback };
    this.#push(entry);
    return () => {
      entry.callback = null;
    };
  }

  after(ms: number, callback: () => void): () => void {
    return this.at(this.#now + ms, callback);
  }

  /** Code that may continue in promises has run: they settle before the next event. */
  touch(): void {
    this.#unsettled = true;
  }

  /** Virtual time stands still until `work` (real asynchronous work) has settled. */
  hold(work: Promise<unknown>): void {
    this.#holds.push(work.catch(() => undefined));
    this.#unsettled = true;
  }

  async runFor(ms: number): Promise<void> {
    await this.runUntil(this.#now + ms);
  }

  /** Runs every event up to and including `end`, and leaves the clock there. */
  async runUntil(end: number): Promise<void> {
    this.#unsettled = true;
    await this.#settle();
    for (let next = this.#peek(); next !== null && next.at <= end; next = this.#peek()) {
      this.#step();
      if (this.#unsettled) await this.#settle();
    }
    this.#now = end;
  }

  /** Runs until `condition`, looked at every `pollMs`, holds; false when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number, pollMs = 5): Promise<boolean> {
    const end = this.#now + limitMs;
    await this.runFor(0);
    while (!condition()) {
      if (this.#now >= end) return false;
      await this.runUntil(Math.min(end, this.#now + pollMs));
    }
    return true;
  }

  async #settle(): Promise<void> {
    while (this.#unsettled) {
      this.#unsettled = false;
      if (this.#holds.length > 0) {
        const holds = this.#holds;
        this.#holds = [];
        await Promise.all(holds);
      }
      await new Promise<void>(++this.#settled % REAL_TURN_EVERY === 0 ? setImmediate : process.nextTick);
    }
  }

  #step(): void {
    const entry = this.#pop();
    this.#now = entry.at;
    this.#events++;
    entry.callback?.();
  }

  #peek(): Entry | null {
    let top = this.#heap[0];
    while (top !== undefined && top.callback === null) {
      this.#pop();
      top = this.#heap[0];
    }
    return top ?? null;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up] as Entry;
      if (!before(entry, parent)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = heap[0] as Entry;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Entry)) child++;
      const smaller = heap[child] as Entry;
      if (!before(smaller, last)) break;
      heap[i] = smaller;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
