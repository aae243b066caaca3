import type { RoomMemory } from './core/room/contract.ts';
import { encodeMemory } from './memory.ts';
import type { EnginePorts } from './options.ts';

/** What a room learns comes in bursts, and each write waits for the disk while packets wait for this thread. */
const SAVE_MS = 250;

/** Writes a room's memory to its store, the newest one only. */
export class Saver {
  readonly #ports: Pick<EnginePorts, 'clock' | 'store' | 'log'>;
  readonly #failed: () => void;
  #waiting: RoomMemory | null = null;
  #cancel: (() => void) | null = null;

  /** `failed` is told of each write that the disk refused. */
  constructor(ports: Pick<EnginePorts, 'clock' | 'store' | 'log'>, failed: () => void) {
    this.#ports = ports;
    this.#failed = failed;
  }

  soon(memory: RoomMemory): void {
    const { clock } = this.#ports;
    this.#waiting = memory;
    this.#cancel ??= clock.at(clock.now() + SAVE_MS, () => this.flush());
  }

  /** Writes what waits, now. */
  flush(): void {
    const memory = this.#waiting;
    this.#cancel?.();
    this.#cancel = null;
    this.#waiting = null;
    if (memory === null) return;
    try {
      this.#ports.store.save(encodeMemory(memory));
    } catch (error) {
      this.#ports.log('warn', `the room could not be saved: ${String(error)}`);
      this.#failed();
    }
  }
}
