/** The one place for an engine in a state directory: its lock, and the control socket where other processes find it. */
import type { Engine, UpOptions } from '../contract.ts';
import { controlPath } from '../net/control/path.ts';
import { type ControlServer, startControlServer } from '../net/control/server.ts';
import { type NativePort, startEngine } from '../net/host.ts';
import { acquireLock } from '../net/state/lock.ts';

export interface EngineSlot {
  /**
   * Starts the slot's only engine. Rejects as `startEngine` and `startControlServer` do; whatever came of it, `release`
   * takes it away.
   */
  start(options: Omit<UpOptions, 'stateDir'>, native: NativePort): Promise<Engine>;
  /** Ends the engine and gives the place back; idempotent. */
  release(): Promise<void>;
}

/** Throws WarrenError: `already-running` while another process lives there, `disk` when the directory cannot be used. */
export function claimSlot(stateDir: string): EngineSlot {
  const control = controlPath(stateDir);
  const lock = acquireLock(stateDir, control.path);
  let engine: Engine | null = null;
  let server: ControlServer | null = null;
  let releasing: Promise<void> | null = null;

  async function releaseAll(): Promise<void> {
    // The engine first: a `warren down` that waits for the socket to close then finds nothing left.
    await engine?.stop();
    await server?.close();
    lock.release();
  }
  return {
    async start(options, native) {
      engine = await startEngine({ ...options, stateDir }, native);
      server = await startControlServer(control, engine);
      return engine;
    },
    release: () => (releasing ??= releaseAll()),
  };
}
