/** How commands find a running engine. */
import type { Snapshot } from '../protocol/app.ts';
import { WarrenError } from '../protocol/errors.ts';
import { decodeMemory } from '../engine/memory.ts';
import { roomTopic } from '../engine/core/crypto/topic.ts';
import { type ControlClient, connectControl } from '../engine/net/control/client.ts';
import { controlPath } from '../engine/net/control/path.ts';
import { readLock } from '../engine/net/state/lock.ts';
import { defaultStateDir } from '../engine/net/state/platform.ts';
import { loadSettings, roomStore } from '../engine/net/state/stores.ts';

export interface StateOptions {
  stateDir?: string;
}

export function stateDirOf(options: StateOptions): string {
  return options.stateDir ?? defaultStateDir();
}

/** Whether the engine can join this room without being told the password again. */
export function isSavedRoom(stateDir: string, room: string): boolean {
  const bytes = roomStore(stateDir, roomTopic(room)).load();
  return bytes !== null && decodeMemory(bytes)?.prs != null;
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

/** What `status` says when no engine runs. */
export function offSnapshot(stateDir: string): Snapshot {
  const { portMapping, hardNat } = loadSettings(stateDir);
  return {
    version: 1,
    state: 'off',
    room: null,
    self: null,
    peers: [],
    notices: [],
    chat: [],
    settings: { portMapping, hardNat, relayOnly: false },
  };
}
