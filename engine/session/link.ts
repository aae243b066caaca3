/** The engine that the app has to do with: its own, or one that another process of this user runs (`warren up`). */
import type { Command, Snapshot } from '../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../protocol/errors.ts';
import type { Engine } from '../contract.ts';
import { type ControlClient, connectControl } from '../net/control/client.ts';
import { controlPath } from '../net/control/path.ts';
import { lockHolder } from '../net/state/lock.ts';
import type { EngineSlot } from './slot.ts';

/** Commands that are passed on; the rest of the control socket's are the link's own. */
export type EngineCommand = Exclude<Command, { type: 'watch' | 'status' | 'down' }>;

export interface EngineLink {
  readonly attached: boolean;
  /** Called with the present snapshot soon, then at every change. */
  subscribe(listener: (snapshot: Snapshot) => void): void;
  command(command: EngineCommand): Promise<unknown>;
  /** Settles when the engine is gone: null when it was asked to go or another process ended it. Never rejects. */
  readonly done: Promise<{ code: ErrorCode | null; message: string }>;
  /** Ends the engine, whosever it is; its place is free for the next one then. Rejects with `timeout`. Idempotent. */
  end(): Promise<void>;
  /** Lets go of it: an own engine ends, another process's goes on. Idempotent. */
  close(): Promise<void>;
}

export function ownLink(slot: EngineSlot, engine: Engine): EngineLink {
  const release = () => slot.release();
  return {
    attached: false,
    subscribe: (listener) => void engine.subscribe(listener),
    command: (command) => engine.command(command),
    // An engine that ended by itself still holds its place.
    done: engine.done.then(async (end) => {
      await release();
      return end;
    }),
    end: release,
    close: release,
  };
}

/** The engine waits this long for an answer of the member itself, and the socket for the engine. */
const ANSWER_MARGIN_MS = 3_000;
/** Removing addresses, saying bye and closing sockets takes a moment. */
const DOWN_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** Null when no engine runs there. Rejects with WarrenError for one that cannot be spoken with. */
export async function attachLink(stateDir: string): Promise<EngineLink | null> {
  const holder = lockHolder(stateDir);
  if (holder === null || holder.pid === process.pid) return null;
  try {
    return new AttachedLink(stateDir, holder.pid, await connectControl(holder.control || controlPath(stateDir).path));
  } catch (error) {
    // It holds the lock and does not listen yet, or not any more.
    if (error instanceof WarrenError && error.code === 'not-running') return null;
    throw error;
  }
}

class AttachedLink implements EngineLink {
  readonly attached = true;
  readonly done: Promise<{ code: ErrorCode | null; message: string }>;
  readonly #stateDir: string;
  readonly #pid: number;
  readonly #client: ControlClient;
  #ending: Promise<void> | null = null;

  constructor(stateDir: string, pid: number, client: ControlClient) {
    this.#stateDir = stateDir;
    this.#pid = pid;
    this.#client = client;
    this.done = client.closed.then(() => ({ code: null, message: 'the engine of another process ended' }));
  }

  subscribe(listener: (snapshot: Snapshot) => void): void {
    // An engine that ends meanwhile is told by `done`.
    this.#client.watch(listener).catch(() => this.#client.close());
  }

  command(command: EngineCommand): Promise<unknown> {
    if (command.type !== 'ping') return this.#client.request(command);
    return this.#client.request(command, { timeoutMs: command.timeoutMs + ANSWER_MARGIN_MS });
  }

  end(): Promise<void> {
    this.#ending ??= this.#down();
    return this.#ending;
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#client.closed;
  }

  async #down(): Promise<void> {
    // The engine may be gone before its answer is read: that is what was asked for.
    await this.#client.request({ type: 'down' }).catch((error: unknown) => {
      if (!(error instanceof WarrenError) || error.code !== 'not-running') throw error;
    });
    const deadline = performance.now() + DOWN_TIMEOUT_MS;
    while (lockHolder(this.#stateDir)?.pid === this.#pid) {
      if (performance.now() > deadline) throw new WarrenError('timeout', 'the engine does not end');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    await this.close();
  }
}
