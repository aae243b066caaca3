/** The app's state and who follows it: each is told what changed, and nothing else. */
import { isDeepStrictEqual } from 'node:util';
import type { Snapshot } from '../../protocol/app.ts';
import type { AppState, StateChange } from '../../protocol/face.ts';

/** Snapshots are published at most this often; a change of anything else takes the newest one along at once. */
const SNAPSHOT_MS = 100;

export class StatePublisher {
  #state: AppState;
  readonly #listeners = new Set<(change: StateChange) => void>();
  /** The snapshot that followers have. */
  #published: Snapshot;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(state: AppState) {
    this.#state = state;
    this.#published = state.snapshot;
  }

  state(): AppState {
    return this.#state;
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    this.#flush({});
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** Parts that are equal to what is there are no change. */
  set(change: Omit<StateChange, 'about'>): void {
    const { snapshot, ...parts } = change;
    const news = Object.fromEntries(
      Object.entries(parts).filter(([part, value]) => !isDeepStrictEqual(value, this.#state[part as keyof AppState])),
    );
    this.#state = { ...this.#state, ...news, ...(snapshot === undefined ? {} : { snapshot }) };
    if (Object.keys(news).length > 0) this.#flush(news);
    else if (snapshot !== undefined) this.#soon();
  }

  /** Nothing is published any more. */
  stop(): void {
    this.#flush({});
    this.#listeners.clear();
  }

  #soon(): void {
    if (this.#timer !== null) return;
    const wait = this.#publishedAt + SNAPSHOT_MS - performance.now();
    if (wait <= 0) this.#flush({});
    else this.#timer = setTimeout(() => this.#flush({}), wait);
  }

  #flush(parts: StateChange): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { snapshot } = this.#state;
    const moved = snapshot !== this.#published && !isDeepStrictEqual(snapshot, this.#published);
    if (moved) {
      this.#published = snapshot;
      this.#publishedAt = performance.now();
    }
    const change: StateChange = moved ? { ...parts, snapshot } : parts;
    if (Object.keys(change).length === 0) return;
    for (const listener of this.#listeners) listener(change);
  }
}
