import type { Snapshot } from '../protocol/app.ts';
import type { ClockPort } from './ports.ts';

/** Snapshots are published at most this often. */
const PUBLISH_MS = 100;

/** Who watches the engine, and when they are next told. Nothing is built while nobody watches. */
export class Publisher {
  readonly #clock: ClockPort;
  readonly #build: () => Snapshot;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #cancel: (() => void) | null = null;
  #stopped = false;
  #last: Snapshot | null = null;

  constructor(clock: ClockPort, build: () => Snapshot) {
    this.#clock = clock;
    this.#build = build;
  }

  get watched(): boolean {
    return this.#listeners.size > 0;
  }

  /** As it is now; after the end, as it was left. */
  now(): Snapshot {
    return this.#last ?? this.#build();
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    listener(this.now());
    return () => this.#listeners.delete(listener);
  }

  /** Something changed: the watchers hear of it with everything else that changes within the pause. */
  soon(): void {
    if (this.#cancel !== null || this.#stopped || !this.watched) return;
    this.#cancel = this.#clock.at(this.#clock.now() + PUBLISH_MS, () => {
      this.#cancel = null;
      this.#tell(this.#build());
    });
  }

  /** Nothing is published from here on, except by `end`. Who asks meanwhile sees it as it was left: what it is built from closes. */
  stop(): void {
    if (!this.#stopped) this.#last = this.#build();
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  end(last: Snapshot): void {
    this.stop();
    this.#last = last;
    this.#tell(last);
    this.#listeners.clear();
  }

  #tell(snapshot: Snapshot): void {
    for (const listener of this.#listeners) listener(snapshot);
  }
}
