/** The browser UI beside the engine of `warren up`: an app that is attached to it. */
import type { Engine } from '../../engine/contract.ts';
import type { EngineLink } from '../../engine/session/link.ts';
import { createAppHost } from '../../engine/session/host.ts';
import { claimSlot } from '../../engine/session/slot.ts';
import { startHosted } from '../../server/hosted.ts';
import type { Io } from '../io.ts';
import { loadNative } from '../native.ts';
import { aboutHere } from './about.ts';
import { type OpenOptions, openUi, type OpenUi } from './open.ts';

export interface BesideOptions extends OpenOptions {
  stateDir: string;
  tun: boolean;
}

/** Rejects as `openUi` does. Who leaves the room in the browser ends the engine, and with it the command. */
export async function openUiBeside(engine: Engine, options: BesideOptions, io: Io): Promise<OpenUi> {
  let link: EngineLink | null = linkTo(engine);
  void engine.done.then(() => {
    link = null;
  });
  const app = createAppHost(
    {
      stateDir: options.stateDir,
      about: aboutHere(),
      loadNative,
      startServer: startHosted,
      tun: options.tun,
      log: (level, message) => {
        if (level === 'warn' || level === 'error') options.log(`${level}: ${message}`);
      },
    },
    { claim: claimSlot, attach: () => Promise.resolve(link) },
  );
  try {
    const ui = await openUi(app, options, io);
    return {
      async close() {
        await ui.close();
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

function linkTo(engine: Engine): EngineLink {
  return {
    attached: true,
    subscribe: (listener) => void engine.subscribe(listener),
    command: (command) => engine.command(command),
    done: engine.done,
    end: async () => {
      await engine.command({ type: 'down' });
      await engine.done;
    },
    // The engine is the command's: it outlives its browser UI.
    close: () => Promise.resolve(),
  };
}
