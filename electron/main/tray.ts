/** The icon in the panel. A click turns the connection on or off. */
import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { AppState } from '../../protocol/face.ts';
import { type TrayAction, type TrayEntry, type TrayIcon, type TrayModel, trayModel } from './tray-model.ts';

/** A menu that is open is replaced under the pointer, so pings change it no more often than this. */
const MENU_INTERVAL_MS = 1_000;
/** Pixels of the panel's icons; files of twice that size lie beside for dense screens. */
const ICON_SIZE = process.platform === 'win32' ? 16 : 22;

export interface TrayOptions {
  /** Holds `tray-STATE-SIZE.png`. */
  icons: string;
  act(action: TrayAction): void;
}

export class TrayIconView {
  readonly #options: TrayOptions;
  readonly #tray: Tray;
  #shown: TrayModel;
  #menuTimer: NodeJS.Timeout | null = null;

  constructor(options: TrayOptions, state: AppState) {
    this.#options = options;
    this.#shown = trayModel(state);
    this.#tray = new Tray(this.#image(this.#shown.icon));
    this.#tray.on('click', () => this.#options.act({ type: 'toggle' }));
    this.#tray.setToolTip(this.#shown.tooltip);
    this.#setMenu();
  }

  show(state: AppState): void {
    const next = trayModel(state);
    const before = this.#shown;
    this.#shown = next;
    if (next.icon !== before.icon) this.#tray.setImage(this.#image(next.icon));
    if (next.tooltip !== before.tooltip) this.#tray.setToolTip(next.tooltip);
    if (JSON.stringify(next.menu) !== JSON.stringify(before.menu)) {
      this.#menuTimer ??= setTimeout(() => this.#setMenu(), MENU_INTERVAL_MS);
    }
  }

  close(): void {
    if (this.#menuTimer !== null) clearTimeout(this.#menuTimer);
    if (!this.#tray.isDestroyed()) this.#tray.destroy();
  }

  #setMenu(): void {
    this.#menuTimer = null;
    this.#tray.setContextMenu(Menu.buildFromTemplate(this.#shown.menu.map((entry) => this.#item(entry))));
  }

  #item(entry: TrayEntry): MenuItemConstructorOptions {
    if (entry.kind === 'separator') return { type: 'separator' };
    // An ampersand marks the next letter as the entry's key; two are one.
    const label = entry.text.replaceAll('&', '&&');
    if (entry.kind === 'text') return { label, enabled: false };
    const click = () => this.#options.act(entry.action);
    return entry.kind === 'action' ? { label, click } : { label, click, type: 'checkbox', checked: entry.on };
  }

  #image(icon: TrayIcon) {
    return nativeImage.createFromPath(join(this.#options.icons, `tray-${icon}-${ICON_SIZE}.png`));
  }
}
