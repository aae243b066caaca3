/** The browser UI of an app: its server, its address in the terminal, and a fresh address at every Enter. */
import { createInterface } from 'node:readline';
import type { AppHost } from '../../engine/session/contract.ts';
import type { Io } from '../io.ts';
import { loadAssets } from './assets.ts';
import { openInBrowser } from './opener.ts';
import { startUiServer, type UiServer } from './server.ts';

export interface OpenOptions {
  /** 0 for a free one. */
  port: number;
  /** The address as one JSON line on stdout. */
  json: boolean;
  /** Start the person's browser, where there is one. */
  browser: boolean;
  /** The address for a person. */
  say(line: string): void;
  /** What went wrong, for a developer. */
  log(line: string): void;
}

export interface OpenUi {
  /** Idempotent; the app goes on. */
  close(): Promise<void>;
}

/** Rejects with WarrenError: `unsupported` where the UI is not built, `port-taken`, `no-rights`. */
export async function openUi(app: AppHost, options: OpenOptions, io: Io): Promise<OpenUi> {
  const { port, log } = options;
  const server = await startUiServer({ app, assets: loadAssets(), port, log });
  const stopListening = await announce(server, options, io);
  return {
    async close() {
      stopListening();
      await server.close();
    },
  };
}

/** The result ends the listening for Enter. */
async function announce(server: UiServer, { json, browser, say }: OpenOptions, io: Io): Promise<() => void> {
  const url = server.newAddress();
  if (json) {
    io.out(JSON.stringify({ ui: { url } }));
    return () => {};
  }
  const opened = browser && (await openInBrowser(url));
  say(opened ? `Warren opens in your browser: ${url}` : `Open Warren in your browser: ${url}`);
  if (!io.stdin.isTTY) return () => {};
  say('  The address works once. Press Enter for another one.');
  // Not as a terminal: Ctrl-C stays a signal.
  const lines = createInterface({ input: io.stdin, terminal: false });
  lines.on('line', () => say(server.newAddress()));
  return () => lines.close();
}
