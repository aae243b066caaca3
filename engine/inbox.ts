/** The engine's one queue: one piece of work at a time, in order; work raised by other work waits for its turn. */
export class Inbox {
  readonly #work: (() => void)[] = [];
  #draining = false;
  #closed = false;
  readonly #settled: () => void;

  /** `settled`: called whenever the last piece of work is done. */
  constructor(settled: () => void) {
    this.#settled = settled;
  }

  post(work: () => void): void {
    if (this.#closed) return;
    this.#work.push(work);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#work.shift(); next; next = this.#work.shift()) next();
      this.#settled();
    } finally {
      this.#draining = false;
    }
  }

  /** Takes no more work; what already waits is still done. */
  close(): void {
    this.#closed = true;
  }
}
