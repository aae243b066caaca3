/** How commands find a running engine. */
import { WarrenError } from '../protocol/errors.ts';
import { type ControlClient, connectControl } from '../engine/net/control/client.ts';
import { controlPath } from '../engine/net/control/path.ts';
import { readLock } from '../engine/net/state/lock.ts';
import { defaultStateDir } from '../engine/net/state/platform.ts';

export interface StateOptions {
  stateDir?: string;
}

export function stateDirOf(options: StateOptions): string {
  return options.stateDir ?? defaultStateDir();
}

/** The socket that the lock names: the engine may have been started in another environment. */
export async function connect(stateDir: string): Promise<ControlClient> {
  return await connectControl(readLock(stateDir)?.control ?? controlPath(stateDir).path);
}

/** Null when no engine runs there; other errors pass. */
export async function connectIfRunning(stateDir: string): Promise<ControlClient | null> {
  try {
    return await connect(stateDir);
  } catch (error) {
    if (error instanceof WarrenError && error.code === 'not-running') return null;
    throw error;
  }
}
