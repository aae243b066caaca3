/** Shows snapshots as they come: JSON lines, a live table on a terminal, or plain lines at changes. */
import type { Snapshot } from '../../protocol/app.ts';
import type { Io } from '../io.ts';
import { describeChanges } from './changes.ts';

export interface Screen {
  show(snapshot: Snapshot): void;
  /** One line for a person, above the live part where there is one. */
  log(line: string): void;
  /** Leaves the last state on the terminal. Idempotent. */
  end(): void;
}

const DEFAULT_COLUMNS = 80;

export async function openScreen(io: Io, json: boolean): Promise<Screen> {
  if (json) return jsonScreen(io);
  return io.stdout.isTTY ? await liveScreen(io) : plainScreen(io);
}

/** A reader that falls behind misses snapshots and gets the newest; nothing queues up in an engine for days. */
function jsonScreen(io: Io): Screen {
  let waiting: Snapshot | null = null;
  const flush = () => {
    if (waiting !== null) io.out(JSON.stringify(waiting));
    waiting = null;
  };
  io.stdout.on('drain', flush);
  return {
    show(snapshot) {
      waiting = snapshot;
      if (!io.stdout.writableNeedDrain) flush();
    },
    log: (line) => io.err(line),
    end() {
      io.stdout.off('drain', flush);
      flush();
    },
  };
}

function plainScreen(io: Io): Screen {
  let last: Snapshot | null = null;
  return {
    show(snapshot) {
      for (const line of describeChanges(last, snapshot)) io.out(line);
      last = snapshot;
    },
    log: (line) => io.err(line),
    end: () => {},
  };
}

async function liveScreen(io: Io): Promise<Screen> {
  // Both take long to load, and JSON and plain lines need neither.
  const [{ createLogUpdate }, { renderRoom }] = await Promise.all([import('log-update'), import('./room.ts')]);
  const update = createLogUpdate(io.stdout);
  let lines: string[] = [];
  return {
    show(snapshot) {
      const columns = io.stdout.columns || DEFAULT_COLUMNS;
      lines = renderRoom(snapshot, { columns, colour: io.colour, now: Date.now() });
      update(lines.join('\n'));
    },
    log(line) {
      update.clear();
      io.err(line);
      update(lines.join('\n'));
    },
    end: () => update.done(),
  };
}
