/** A person without a mouse: moves with Tab, acts with keys, and sees which element has the focus. */
import type { Locator, Page } from 'playwright-core';

/** More stops than any screen has. */
const MOST_STOPS = 200;

export class KeyboardUser {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Presses Tab until the target has the focus; throws with the way it took when it never gets there. */
  async tabTo(target: Locator): Promise<void> {
    const way: string[] = [];
    while (!(await this.has(target))) {
      if (way.length >= MOST_STOPS)
        throw new Error(`${target.toString()} cannot be reached: ${way.slice(0, 40).join(' > ')}`);
      await this.press('Tab');
      way.push(await this.focused());
    }
  }

  /** Goes to a control and presses a key on it: Enter, or another. */
  async use(target: Locator, key = 'Enter'): Promise<void> {
    await this.tabTo(target);
    await this.press(key);
  }

  /** Replaces what is in a field. */
  async fill(target: Locator, text: string): Promise<void> {
    await this.tabTo(target);
    await this.press('Control+a');
    await this.#page.keyboard.type(text);
  }

  async press(key: string): Promise<void> {
    await this.#page.keyboard.press(key);
  }

  /** Whether the target, or the option of it that is chosen, has the focus. */
  async has(target: Locator): Promise<boolean> {
    if ((await target.count()) === 0) return false;
    return await target.first().evaluate((element) => element === document.activeElement);
  }

  /** Presses Tab that often and tells each stop. */
  async way(stops: number): Promise<string[]> {
    const way: string[] = [];
    for (let stop = 0; stop < stops; stop += 1) {
      await this.press('Tab');
      way.push(await this.focused());
    }
    return way;
  }

  /** Whether the focus is in the target, or in the browser's own bar, which is a stop of every modal dialog. */
  async within(target: Locator): Promise<boolean> {
    return await target.evaluate((element) => {
      const focused = document.activeElement;
      return focused === document.body || element.contains(focused);
    });
  }

  /** Whether a ring is drawn round what has the focus, or round the label it is drawn for. */
  async outlined(): Promise<boolean> {
    return await this.#page.evaluate(() => {
      const focused = document.activeElement;
      if (focused === null || focused === document.body) return true;
      const drawn = [focused, focused.nextElementSibling, focused.closest('label')].filter((one) => one !== null);
      return drawn.some((one) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(one);
        return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2;
      });
    });
  }

  /** What a screen reader would say first of the focused element. */
  async focused(): Promise<string> {
    return await this.#page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return 'nothing';
      const label = element.getAttribute('aria-label') ?? (element as HTMLInputElement).labels?.[0]?.innerText;
      return `${element.localName} ${(label ?? (element as HTMLElement).innerText).trim().slice(0, 40)}`;
    });
  }
}
