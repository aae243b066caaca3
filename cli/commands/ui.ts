/** `warren ui`: the app in a browser, with its engine in this process, until a signal or its own quit. */
import { createAppHost } from '../../engine/session/host.ts';
import { startHosted } from '../../server/hosted.ts';
import { aborted, type Io } from '../io.ts';
import { loadNative } from '../native.ts';
import { type StateOptions, stateDirOf } from '../state.ts';
import { aboutHere } from '../ui/about.ts';
import { openUi, type OpenUi } from '../ui/open.ts';
import { printable } from '../view/printable.ts';

export interface UiArguments extends StateOptions {
  /** 0 for a free one. */
  port: number;
  open: boolean;
  tun: boolean;
  json?: boolean;
}

export async function ui(asked: UiArguments, io: Io): Promise<number> {
  const interrupted = io.interrupted();
  const quit = new AbortController();
  const log = (line: string) => io.err(printable(line));
  const app = createAppHost({
    stateDir: stateDirOf(asked),
    about: aboutHere(),
    loadNative,
    startServer: startHosted,
    tun: asked.tun,
    shell: { quit: () => quit.abort() },
    log: (level, message) => {
      if (level === 'warn' || level === 'error') log(`${level}: ${message}`);
    },
  });
  let page: OpenUi | null = null;
  try {
    const { port, open: browser, json = false } = asked;
    page = await openUi(app, { port, browser, json, say: io.out, log }, io);
    await Promise.race([aborted(interrupted), aborted(quit.signal)]);
    return 0;
  } finally {
    await page?.close();
    await app.close();
  }
}
