/**
 * The one window. Closing it ends its process, which leaves memory and graphics to the game; the next one asks for the whole
 * state, so nothing is lost. Where there is no tray to come back from, closing ends the app.
 */
import { BrowserWindow, nativeTheme, type Session } from 'electron';
import { APP_PAGE } from './app-protocol.ts';
import { hardenContents } from './security.ts';

export type WindowMode = 'full' | 'mini';

export interface WindowOptions {
  session: Session;
  preload: string;
  icon: string;
  devTools: boolean;
}

/** Content sizes in device-independent pixels. */
const SIZES = {
  full: { width: 1_000, height: 720, minWidth: 380, minHeight: 480 },
  mini: { width: 380, height: 560, minWidth: 380, minHeight: 320 },
} as const;

/** Until the page has drawn its own. */
const BACKGROUNDS = { dark: '#171512', light: '#f3f0e9' } as const;
/** A page that dies again this soon after it was brought back would go on so. */
const CRASH_LOOP_MS = 2_000;

export class MainWindow {
  readonly #options: WindowOptions;
  #window: BrowserWindow | null = null;
  #mode: WindowMode = 'full';

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** `webContents.id`, null while there is no window. */
  get contents(): number | null {
    return this.#window?.webContents.id ?? null;
  }

  /** Whether the person looks at it now. */
  get focused(): boolean {
    return this.#window?.isFocused() ?? false;
  }

  /** Opens it, or brings it to the front; in the mode it had, unless another is asked for. */
  show(mode: WindowMode = this.#mode): void {
    const window = this.#window ?? this.#open(mode);
    if (mode !== this.#mode) this.#resize(window, mode);
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  }

  close(): void {
    this.#window?.close();
  }

  minimize(): void {
    this.#window?.minimize();
  }

  /** Nothing while there is no window. */
  send(channel: string, message: unknown): void {
    this.#window?.webContents.send(channel, message);
  }

  #open(mode: WindowMode): BrowserWindow {
    const { session, preload, icon, devTools } = this.#options;
    const window = new BrowserWindow({
      ...SIZES[mode],
      useContentSize: true,
      show: false,
      title: 'Warren',
      icon,
      backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUNDS.dark : BACKGROUNDS.light,
      autoHideMenuBar: true,
      webPreferences: {
        session,
        preload,
        devTools,
        contextIsolation: true,
        sandbox: true,
        nodeIntegration: false,
        webSecurity: true,
        webviewTag: false,
        // Chromium fetches dictionaries from the network.
        spellcheck: false,
        safeDialogs: true,
      },
    });
    window.removeMenu();
    hardenContents(window.webContents);
    // The page's title would otherwise replace ours, and with it whatever a stranger's room is called.
    window.on('page-title-updated', (event) => event.preventDefault());
    window.on('closed', () => {
      if (this.#window === window) this.#window = null;
    });
    let diedAt = Number.NEGATIVE_INFINITY;
    window.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason === 'clean-exit' || window.isDestroyed()) return;
      // A page that cannot live is not brought back for ever.
      if (performance.now() - diedAt < CRASH_LOOP_MS) window.close();
      else window.reload();
      diedAt = performance.now();
    });
    this.#window = window;
    this.#mode = mode;
    void window.loadURL(APP_PAGE).catch(() => undefined);
    return window;
  }

  #resize(window: BrowserWindow, mode: WindowMode): void {
    const { width, height, minWidth, minHeight } = SIZES[mode];
    this.#mode = mode;
    if (window.isMaximized()) window.unmaximize();
    window.setMinimumSize(minWidth, minHeight);
    window.setContentSize(width, height);
    window.setAlwaysOnTop(mode === 'mini');
  }
}
