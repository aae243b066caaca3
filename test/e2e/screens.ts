/** The app as a person sees it: fields, buttons and switches by their accessible names, in any shell. */
import type { Locator, Page } from 'playwright-core';

/** Names of the room's switches. */
export const HARD_NAT = 'NAT4 punching';
export const PORT_MAPPING = 'Port mapping';

export interface Entry {
  readonly nick: string;
  readonly room: string;
  readonly password: string;
  readonly server: string;
  /** A new room; else one that somebody is in. */
  readonly create: boolean;
}

export class Screens {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  get nick(): Locator {
    return this.#page.getByLabel(/nickname/i);
  }
  get room(): Locator {
    return this.#page.getByLabel(/network name/i);
  }
  get password(): Locator {
    return this.#page.getByLabel(/^password/i);
  }
  get leaveButton(): Locator {
    return this.#page.getByRole('button', { name: /^leave/i });
  }
  /** Fills the first screen in and sends it. */
  async enter({ nick, room, password, server, create }: Entry): Promise<void> {
    await this.nick.fill(nick);
    await this.room.fill(room);
    await this.password.fill(password);
    await this.#page.getByRole('radio', { name: /^an address/i }).check();
    await this.#page.getByRole('textbox', { name: /^server address/i }).fill(server);
    await this.#page.getByRole('button', { name: create ? /^create/i : /^join/i }).click();
  }

  /** Resolves when the room is on the screen. */
  async inRoom(room: string): Promise<void> {
    await this.#page.getByRole('heading', { name: room }).waitFor();
    await this.leaveButton.waitFor();
  }

  /** The row of a member. */
  member(nick: string): Locator {
    // The name lies between marks that isolate its direction.
    const opener = this.#page.getByRole('button', { name: new RegExp(`^Details of \\W?${nick}\\W?$`) });
    return this.#page.getByRole('listitem').filter({ has: opener });
  }

  /** Resolves when a member's row says how that member is connected. */
  async memberIs(nick: string, standing: 'Direct' | 'Relayed'): Promise<void> {
    await this.member(nick)
      .filter({ has: this.#page.getByText(standing, { exact: true }) })
      .waitFor();
  }

  /** Resolves when a switch shows what it should. */
  async switchIs(name: string, on: boolean): Promise<void> {
    await this.#page.getByRole('switch', { name, checked: on }).waitFor();
  }

  /** Turns a switch over, by the keyboard. */
  async toggle(name: string): Promise<void> {
    await this.#page.getByRole('switch', { name }).press('Space');
  }

  /** Resolves when the first screen is there. */
  async outside(): Promise<void> {
    await this.room.waitFor();
  }
}
