/**
 * The desktop app's start. Who does what:
 *
 * 1. the command line is read, and a second start hands its link to the first and ends;
 * 2. `App` (app.ts) puts engine, window, tray and notifications together;
 * 3. a signal, the tray's Quit, or the last window where there is no tray end it: the engine first, so that its network
 *    interface and the router's port mappings are gone before the process is.
 */
import { join } from 'node:path';
import { app, protocol } from 'electron';
import { defaultStateDir } from '../../engine/net/state/platform.ts';
import { App } from './app.ts';
import { APP_SCHEME } from './app-protocol.ts';
import { isLink, parseArguments } from './argv.ts';
import { hasTray } from './platform/tray-presence.ts';

/** What a second start tells the first. It comes from another process: checked like everything else. */
interface SecondStart {
  link: string | null;
}

/** An engine that does not stop by then is stopped by the end of the process. */
const CLOSE_TIMEOUT_MS = 10_000;

function start(): void {
  const asked = parseArguments(process.argv.slice(app.isPackaged ? 1 : 2));
  const stateDir = asked.stateDir ?? defaultStateDir();
  // Chromium's own files; the single-instance lock is among them, so there is one app for each state directory.
  app.setPath('userData', join(stateDir, 'window'));
  app.setAppUserModelId('io.warren.app');
  const mine: SecondStart = { link: asked.link };
  if (!app.requestSingleInstanceLock(mine)) {
    app.exit(0);
    return;
  }
  protocol.registerSchemesAsPrivileged([{ scheme: APP_SCHEME, privileges: { standard: true, secure: true } }]);
  // As root, which only tests are, Chromium cannot; the window's page is still without Node.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
  void run(stateDir, asked);
}

async function run(stateDir: string, asked: { link: string | null; hidden: boolean }): Promise<void> {
  // Who starts it a second time before it is ready is answered with what the first start would have shown.
  let early: SecondStart | null = null;
  const keep = (_event: unknown, _argv: unknown, _directory: unknown, data: unknown): void => {
    early = secondStart(data);
  };
  app.on('second-instance', keep);
  const [tray] = await Promise.all([hasTray(), app.whenReady()]);
  const warren = new App({ stateDir, tray });
  endWith(warren);
  app.off('second-instance', keep);
  app.on('second-instance', (_event, _argv, _directory, data) => warren.show(secondStart(data).link));
  const shown = early ?? (asked.hidden && tray ? null : { link: asked.link });
  if (shown !== null) warren.show(shown.link ?? asked.link);
}

/** Another process made it. */
function secondStart(data: unknown): SecondStart {
  const link = (data as Partial<SecondStart> | null)?.link;
  return { link: isLink(link) ? link : null };
}

/** Whatever asks the app to end, the app is closed before the process goes. */
function endWith(warren: App): void {
  let closed = false;
  let closing: Promise<void> | null = null;
  app.on('before-quit', (event) => {
    if (closed) return;
    event.preventDefault();
    closing ??= Promise.race([warren.close(), timeout(CLOSE_TIMEOUT_MS)]).then(() => {
      closed = true;
      app.quit();
    });
  });
  app.on('window-all-closed', () => {
    if (!warren.staysInTray) app.quit();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => app.quit());
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

start();
