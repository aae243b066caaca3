/** A test double of the AppHost: commands are answered as the test says, changes told when it says. */
import type { AppHost } from '../../../../engine/session/contract.ts';
import type { AppCommand, AppState, StateChange } from '../../../../protocol/face.ts';
import { snapshot } from '../snapshots.ts';

export const OFF: AppState = {
  snapshot: snapshot({ state: 'off', room: null, self: null }),
  connection: { state: 'idle' },
  hosting: { state: 'off' },
  rooms: [],
  preferences: { language: 'auto', theme: 'system', nick: 'ann', notifications: true, autostart: false, rejoin: false },
  invitation: null,
  about: { version: '0.1.0', platform: 'linux', shell: 'browser', locale: 'en', servers: [] },
};

export class AppDouble implements AppHost {
  readonly asked: AppCommand[] = [];
  answer: (command: AppCommand) => Promise<unknown> = () => Promise.resolve(null);
  #state = OFF;
  readonly #listeners = new Set<(change: StateChange) => void>();

  get watchers(): number {
    return this.#listeners.size;
  }

  state(): AppState {
    return this.#state;
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  command(command: AppCommand): Promise<unknown> {
    this.asked.push(command);
    return this.answer(command);
  }

  publish(change: StateChange): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(change);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
