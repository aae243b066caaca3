/** A test double of the Engine interface: commands are answered as the test says, snapshots published when it says. */
import type { Engine } from '../../../engine/contract.ts';
import type { Command, Snapshot } from '../../../protocol/app.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';

export class EngineDouble implements Engine {
  readonly done = new Promise<{ code: ErrorCode | null; message: string }>(() => {});
  readonly asked: Command[] = [];
  answer: (command: Command) => Promise<unknown> = () => Promise.resolve(null);
  #snapshot: Snapshot;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#snapshot);
    return () => this.#listeners.delete(listener);
  }

  command(command: Command): Promise<unknown> {
    this.asked.push(command);
    return this.answer(command);
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener(snapshot);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
