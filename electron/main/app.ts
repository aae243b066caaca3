/** The app put together: one host, and the faces that show its state. */

import { join } from 'node:path';
import { app, Notification, nativeTheme, session as sessions, shell } from 'electron';
import { builtInServers } from '../../engine/net/state/server-list.ts';
import type { AppHost } from '../../engine/session/contract.ts';
import { createAppHost } from '../../engine/session/host.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type { AppCommand } from '../../protocol/face.ts';
import { IPC_CHANNELS } from '../../protocol/ipc.ts';
import { startHosted } from '../../server/hosted.ts';
import { APP_SCHEME, createAppProtocol } from './app-protocol.ts';
import { listenToWindow } from './ipc.ts';
import { loadNative } from './native.ts';
import { NO_NOTICES, noticesBetween } from './notices.ts';
import { type Face, observe } from './observer.ts';
import { PATHS } from './paths.ts';
import { setAutostart } from './platform/autostart.ts';
import { registerLinks } from './platform/links.ts';
import { hardenSession } from './security.ts';
import { TrayIconView } from './tray.ts';
import type { TrayAction } from './tray-model.ts';
import { MainWindow } from './window.ts';

export interface AppOptions {
  stateDir: string;
  /** Whether this desktop shows icons of the panel. */
  tray: boolean;
}

export class App {
  /** Whether closing the window leaves the app running. */
  readonly staysInTray: boolean;
  readonly #host: AppHost;
  readonly #window: MainWindow;
  readonly #tray: TrayIconView | null;
  readonly #stops: (() => void)[];

  /** Electron must be ready. */
  constructor({ stateDir, tray }: AppOptions) {
    const devTools = !app.isPackaged;
    // In memory: neither cache nor storage of the page ever reaches the disk.
    const session = sessions.fromPartition('warren', { cache: false });
    session.protocol.handle(APP_SCHEME, createAppProtocol(PATHS.renderer));
    hardenSession(session, devTools);
    const icon = join(PATHS.icons, '256x256.png');
    this.#window = new MainWindow({ session, preload: PATHS.preload, icon, devTools });
    this.#host = this.#createHost(stateDir);
    this.staysInTray = tray;
    this.#tray = tray
      ? new TrayIconView({ icons: PATHS.icons, act: (action) => this.#act(action) }, this.#host.state())
      : null;
    const stopListening = listenToWindow({
      window: () => this.#window.contents,
      command: (command) => this.#host.command(command),
      subscribe: () => this.#window.send(IPC_CHANNELS.state, this.#host.state()),
    });
    this.#stops = [stopListening, observe(this.#host, this.#faces())];
    registerLinks();
  }

  /** Shows the window; with a link, its invitation for confirmation. */
  show(link: string | null = null): void {
    if (link !== null) void this.#command({ type: 'open-invite', link });
    this.#window.show();
  }

  /** May be called twice. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.#tray?.close();
    await this.#host.close();
  }

  #createHost(stateDir: string): AppHost {
    return createAppHost({
      stateDir,
      about: {
        version: app.getVersion(),
        platform: process.platform,
        shell: 'electron',
        locale: systemLocale(),
        servers: builtInServers(PATHS.servers),
      },
      loadNative,
      startServer: startHosted,
      tun: true,
      shell: {
        window: (mode) => (mode === 'hide' ? this.#putAway() : this.#window.show(mode)),
        quit: () => app.quit(),
        autostart: setAutostart,
        showFile: (path) => shell.showItemInFolder(path),
      },
      log: (level, message) => {
        if (level !== 'debug') process.stderr.write(`warren: ${level}: ${message}\n`);
      },
    });
  }

  /** Where there is no tray, a closed window would be the end of the app. */
  #putAway(): void {
    if (this.staysInTray) this.#window.close();
    else this.#window.minimize();
  }

  #faces(): Face[] {
    const toTray: Face = (state) => this.#tray?.show(state);
    const toTheme: Face = ({ preferences }, before, { about }) => {
      // `about` comes with the first state only.
      if (about !== undefined || preferences.theme !== before.preferences.theme) {
        nativeTheme.themeSource = preferences.theme;
      }
    };
    const toWindow: Face = (_state, _before, change) => this.#window.send(IPC_CHANNELS.state, change);
    let memory = NO_NOTICES;
    const toNotifications: Face = (state, before) => {
      const next = noticesBetween(memory, before, state, performance.now());
      memory = next.memory;
      if (!this.#window.focused) next.lines.forEach(notify);
    };
    return [toTheme, toTray, toWindow, toNotifications];
  }

  #act(action: TrayAction): void {
    if (action.type === 'show') this.show();
    else void this.#command(action);
  }

  /** A refusal that the person must answer is shown by the window: what was asked has no place to say it. */
  async #command(command: AppCommand): Promise<void> {
    try {
      await this.#host.command(command);
    } catch (error) {
      if (!(error instanceof WarrenError)) throw error;
      this.#window.show();
    }
  }
}

/** All in the title: desktops take markup in the body, and nicknames are strangers' text. */
function notify(title: string): void {
  if (Notification.isSupported()) new Notification({ title, silent: true }).show();
}

/** BCP 47; a system without a language (`LANG=C`) is taken for an English one. */
function systemLocale(): string {
  const known = [...app.getPreferredSystemLanguages(), app.getLocale()];
  return known.find((tag) => /^[a-z]{2,3}(?:-|$)/i.test(tag)) ?? 'en';
}
