/** The desktop app in a real Electron on a virtual screen, inside a namespace of a lab. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Menu, Tray } from 'electron';
import { _electron, type ElectronApplication, errors, type Page } from 'playwright-core';
import type { PeerSnapshot } from '../../protocol/app.ts';
import type { AppClient, AppCommand, AppState, CommandAnswer } from '../../protocol/face.ts';
import type { Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { until } from '../until.ts';
import { electronFolder } from './electron-runtime.ts';

declare global {
  interface Window {
    warren: AppClient;
  }
  /** In Electron's main process, kept by `watchTray` and `watchNotifications`. */
  var shownTray: { tray?: Tray; menu?: Menu | null; tooltip?: string } | undefined;
  var shownNotifications: string[] | undefined;
}

/** An idle machine needs two seconds. */
const START_TIMEOUT_MS = 30_000;
/** For what takes a moment on an idle machine; the tests share theirs. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface DesktopOptions {
  namespace: Namespace;
  /** `DISPLAY`. */
  display: string;
  /** Used instead of a fresh one, and left alone on stop: an app that comes back. */
  stateDir?: string;
  /** Whether the desktop shows icons of the panel. Default true. */
  tray?: boolean;
  /** Runs as this user, in Chromium's sandbox and without any right. Default: as root, where there is no sandbox. */
  user?: number;
  /** After the app's folder. */
  args?: readonly string[];
}

/** What the tray's menu shows. */
export interface MenuLine {
  label: string;
  enabled: boolean;
  checked: boolean;
}

export class DesktopApp {
  readonly electron: ElectronApplication;
  readonly stateDir: string;
  /** The home directory of the player. */
  readonly home: string;
  readonly #folder: string;
  #errors = '';

  private constructor(electron: ElectronApplication, folder: string, options: DesktopOptions) {
    this.electron = electron;
    this.#folder = folder;
    this.home = join(folder, 'home');
    this.stateDir = options.stateDir ?? join(folder, 'state');
    electron.process().stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-20_000);
    });
  }

  /** Resolves when the app's main process runs; the window may not be there yet. */
  static async start(options: DesktopOptions): Promise<DesktopApp> {
    const folder = await prepareFolder(options);
    const { args = [] } = options;
    const stateDir = options.stateDir ?? join(folder, 'state');
    const electron = await launch({
      executablePath: join(folder, 'electron'),
      cwd: repositoryRoot,
      args: ['.', `--state-dir=${stateDir}`, ...args],
      chromiumSandbox: options.user !== undefined,
      env: environment(folder, options.display),
    });
    return new DesktopApp(electron, folder, options);
  }

  /** The one window, once its page has loaded. */
  async page(): Promise<Page> {
    const page = this.electron.windows()[0] ?? (await this.electron.waitForEvent('window'));
    page.setDefaultTimeout(DEFAULT_TIMEOUT_MS);
    await page.waitForLoadState();
    return page;
  }

  async command(command: AppCommand): Promise<CommandAnswer> {
    return await (await this.page()).evaluate((asked) => window.warren.command(asked), command);
  }

  /** As the window sees it. */
  async state(): Promise<AppState> {
    return await (await this.page()).evaluate(
      () =>
        new Promise<AppState>((resolve) => {
          // The first call brings everything; it may come before `subscribe` has returned.
          const stop = window.warren.subscribe((state) => {
            resolve(state as AppState);
            queueMicrotask(() => stop());
          });
        }),
    );
  }

  async waitFor(
    what: string,
    fits: (state: AppState) => boolean,
    timeoutMs: number = DEFAULT_TIMEOUT_MS,
  ): Promise<AppState> {
    let last: AppState | null = null;
    try {
      await until(what, async () => fits((last = await this.state())), timeoutMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(last)}\n${this.#errors}`, { cause: error });
    }
    return last as unknown as AppState;
  }

  async peer(nick: string): Promise<PeerSnapshot | undefined> {
    return (await this.state()).snapshot.peers.find((peer) => peer.nick === nick);
  }

  /** As its owner does, and waits until it is gone. */
  async closeWindow(): Promise<void> {
    await this.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
    await until('the window is gone', () => this.electron.windows().length === 0, DEFAULT_TIMEOUT_MS);
  }

  /** Keeps what the tray is given from now on; it must be given something new before it can be looked at. */
  async watchTray(): Promise<void> {
    await this.electron.evaluate(({ Tray }) => {
      const { setContextMenu, setToolTip } = Tray.prototype;
      Tray.prototype.setContextMenu = function keepMenu(menu) {
        globalThis.shownTray = { ...globalThis.shownTray, tray: this, menu };
        setContextMenu.call(this, menu);
      };
      Tray.prototype.setToolTip = function keepToolTip(tooltip) {
        globalThis.shownTray = { ...globalThis.shownTray, tray: this, tooltip };
        setToolTip.call(this, tooltip);
      };
    });
  }

  /** The menu as it was given last; empty before. */
  async trayMenu(): Promise<MenuLine[]> {
    return await this.electron.evaluate(
      () => globalThis.shownTray?.menu?.items.map(({ label, enabled, checked }) => ({ label, enabled, checked })) ?? [],
    );
  }

  async trayTooltip(): Promise<string> {
    return await this.electron.evaluate(() => globalThis.shownTray?.tooltip ?? '');
  }

  async clickTray(): Promise<void> {
    await this.electron.evaluate(() => void globalThis.shownTray?.tray?.emit('click'));
  }

  /** Rejects where the menu has no such line. */
  async chooseInTray(label: string): Promise<void> {
    await this.electron.evaluate((_modules, wanted) => {
      const item = globalThis.shownTray?.menu?.items.find((line) => line.label === wanted);
      if (item === undefined) throw new Error(`the tray has no ${wanted}`);
      item.click();
    }, label);
  }

  /** Keeps the titles of notifications instead of showing them. */
  async watchNotifications(): Promise<void> {
    await this.electron.evaluate(({ Notification }) => {
      globalThis.shownNotifications = [];
      Notification.isSupported = () => true;
      Notification.prototype.show = function keep() {
        globalThis.shownNotifications?.push(this.title);
      };
    });
  }

  async notifications(): Promise<string[]> {
    return await this.electron.evaluate(() => globalThis.shownNotifications ?? []);
  }

  /** Process number of Electron's main process. */
  async pid(): Promise<number> {
    return await this.electron.evaluate(() => process.pid);
  }

  get errors(): string {
    return this.#errors;
  }

  /** Ends the app as a person would. May be called twice. */
  async stop(): Promise<void> {
    await this.electron.close().catch(() => undefined);
    // A state directory of the test lies elsewhere.
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Playwright's own preloaded script, which holds the app's `ready` back until Playwright is connected; it adds it only to an Electron
 * that it found itself. Without it a window may open while Playwright connects, which then waits for ever.
 */
const PRELOADED = join(
  dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')),
  'lib/server/electron/loader.js',
);

/** A machine at its limit may miss the time nevertheless: that Electron is ended, and a second one started. */
async function launch(options: Parameters<typeof _electron.launch>[0]): Promise<ElectronApplication> {
  const timed = { ...options, timeout: START_TIMEOUT_MS };
  try {
    return await _electron.launch(timed);
  } catch (error) {
    if (!(error instanceof errors.TimeoutError)) throw error;
    return await _electron.launch(timed);
  }
}

/** A folder with the launcher, a home of its own, and a session bus that says whether there is a panel. */
async function prepareFolder({ namespace, tray = true, user }: DesktopOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-desktop-'));
  const launcher = join(repositoryRoot, 'test/e2e/electron-launcher.mjs');
  const electron = join(electronFolder(), 'electron');
  const as = user === undefined ? '' : `setpriv --reuid=${user} --regid=${user} --clear-groups`;
  await mkdir(join(folder, 'home'));
  await mkdir(join(folder, 'bin'));
  const program = async (name: string, line: string): Promise<void> => {
    await writeFile(join(folder, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(folder, name), 0o755);
  };
  await program(
    'electron',
    `exec setpriv --pdeathsig KILL "${process.execPath}" "${launcher}" ${namespace.name} ${as} "${electron}" -r "${PRELOADED}" "$@"`,
  );
  await program('bin/dbus-send', `echo '   boolean ${tray}'`);
  if (user !== undefined) for (const path of [folder, join(folder, 'home')]) await chown(path, user, user);
  return folder;
}

function environment(folder: string, display: string): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(?:XDG_|DBUS_|ELECTRON_|LANG|LC_)/.test(entry[0]),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`,
    HOME: join(folder, 'home'),
    DISPLAY: display,
    LANG: 'en_US.UTF-8',
    DBUS_SESSION_BUS_ADDRESS: 'disabled:',
    // In its namespace it may ask the router that the test put there.
    WARREN_PORT_MAPPING: 'on',
  };
}

/** Whether a process with this number exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Names of the network interfaces in a namespace. */
export function interfacesOf({ name }: Namespace): string[] {
  const links = execFileSync('ip', ['-json', '-n', name, 'link'], { encoding: 'utf8' });
  return (JSON.parse(links) as { ifname: string }[]).map(({ ifname }) => ifname);
}
