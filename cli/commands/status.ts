/** `warren status`: the engine's snapshot once, or at every change. */
import type { ControlClient } from '../../engine/net/control/client.ts';
import { offSnapshot } from '../../engine/net/state/off.ts';
import { loadSettings } from '../../engine/net/state/stores.ts';
import { snapshot as snapshotSchema } from '../../protocol/app.ts';
import { aborted, type Io, pause } from '../io.ts';
import { connectIfRunning, type StateOptions, stateDirOf } from '../state.ts';
import { openScreen, type Screen } from '../view/screen.ts';

export interface StatusArguments extends StateOptions {
  json?: boolean;
  watch?: boolean;
}

/** Soon enough to see an engine's first moments, rare enough to cost nothing. */
const RETRY_MS = 100;
const DEFAULT_COLUMNS = 80;

export async function status(asked: StatusArguments, io: Io): Promise<number> {
  const stateDir = stateDirOf(asked);
  if (asked.watch === true) return await watch(stateDir, asked.json === true, io);
  const client = await connectIfRunning(stateDir);
  try {
    const found = client
      ? snapshotSchema.parse(await client.request({ type: 'status' }))
      : offSnapshot(loadSettings(stateDir));
    if (asked.json === true) io.out(JSON.stringify(found));
    else {
      const { renderRoom } = await import('../view/room.ts');
      const columns = io.stdout.columns || DEFAULT_COLUMNS;
      for (const line of renderRoom(found, { columns, colour: io.colour, now: Date.now() })) io.out(line);
    }
    return 0;
  } finally {
    client?.close();
  }
}

/** Outlives engines: it waits for the next one until it is interrupted. */
async function watch(stateDir: string, json: boolean, io: Io): Promise<number> {
  const interrupted = io.interrupted();
  const screen = await openScreen(io, json);
  let waiting = false;
  while (!interrupted.aborted) {
    const client = await connectIfRunning(stateDir);
    if (client !== null) {
      await follow(client, screen, interrupted);
      waiting = false;
      if (!interrupted.aborted) screen.show(offSnapshot(loadSettings(stateDir)));
    } else if (!waiting && !json) {
      waiting = true;
      screen.log('waiting for `warren up` in this state directory');
    }
    await pause(RETRY_MS, interrupted);
  }
  screen.end();
  return 0;
}

async function follow(client: ControlClient, screen: Screen, interrupted: AbortSignal): Promise<void> {
  // An engine that ends right now shows in `closed`.
  client.watch((found) => screen.show(found)).catch(() => client.close());
  await Promise.race([client.closed, aborted(interrupted)]);
  client.close();
}
