/** The built renderer in a real browser page, with a played app behind it and everything noted that should not happen. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import type { AppState } from '../../protocol/face.ts';
import { FakeApp } from './fake-client.ts';
import { NOW } from './fixtures/members.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/build\/$/, '');
export const RENDERER_OUTPUT = join(ROOT, 'build/renderer');
const SOURCES = ['renderer', 'protocol', 'resources', 'package-lock.json'];

export type Language = 'en' | 'zh-CN';
export type Theme = 'dark' | 'light';

export const WIDE = { width: 1_400, height: 900 } as const;
export const NARROW = { width: 380, height: 720 } as const;

/** Builds the renderer unless what is there is younger than all it is made of. */
export function buildRenderer(): void {
  if (youngest(join(RENDERER_OUTPUT, 'index.html')) > Math.max(...SOURCES.map((path) => youngest(join(ROOT, path))))) {
    return;
  }
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build:renderer'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the renderer does not build:\n${stdout}${stderr}`);
}

/** Time of the last change below a path, Unix ms; 0 where there is nothing. */
function youngest(path: string): number {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (!entry) return 0;
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => youngest(join(path, name))));
}

/** A control that cannot be used by then never can. */
const ACTION_TIMEOUT_MS = 10_000;

export interface OpenOptions {
  language?: Language;
  theme?: Theme;
  viewport?: { width: number; height: number };
  /** Default: reduced, so that nothing moves while a test looks. */
  motion?: 'reduce' | 'no-preference';
  /** Lets a test put scripts of its own in (axe): nothing about the policy is learnt from such a page. */
  bypassPolicy?: boolean;
}

/** A page of its own context; `close` ends both. */
export class RendererPage {
  readonly page: Page;
  readonly app: FakeApp;
  readonly language: Language;
  readonly #context: BrowserContext;
  readonly #devtools: CDPSession;
  readonly #problems: string[] = [];

  private constructor(context: BrowserContext, devtools: CDPSession, page: Page, app: FakeApp, language: Language) {
    this.#context = context;
    this.#devtools = devtools;
    this.page = page;
    this.app = app;
    this.language = language;
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.#problems.push(message.text());
    });
    page.on('pageerror', (error) => this.#problems.push(String(error)));
    page.on('dialog', (dialog) => {
      this.#problems.push(`a dialog of the browser: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  static async open(
    browser: Browser,
    url: string,
    initial: AppState,
    options: OpenOptions = {},
  ): Promise<RendererPage> {
    const { language = 'en', theme = 'dark', viewport = WIDE, motion = 'reduce', bypassPolicy = false } = options;
    const context = await browser.newContext({
      viewport,
      locale: language,
      timezoneId: 'UTC',
      colorScheme: theme,
      reducedMotion: motion,
      bypassCSP: bypassPolicy,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(ACTION_TIMEOUT_MS);
    await page.clock.setFixedTime(NOW);
    const app = await FakeApp.install(page, inLanguage(initial, language));
    const opened = new RendererPage(context, await context.newCDPSession(page), page, app, language);
    await page.exposeFunction('warrenProblem', (problem: string) => opened.#problems.push(problem));
    await page.addInitScript(reportViolations);
    await page.goto(url);
    await page.locator('main').first().waitFor();
    return opened;
  }

  /** Shows a whole other state. */
  async show(state: AppState): Promise<void> {
    await this.app.push(inLanguage(state, this.language));
  }

  /** All text that is laid out, with the values of fields. */
  async visibleText(): Promise<string> {
    return await this.page.evaluate(() => {
      const fields = [...document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input, textarea')];
      return [document.body.innerText, ...fields.map((field) => field.value)].join('\n');
    });
  }

  /** The window as it is, as a PNG file; three times as fast as Playwright's own. */
  async screenshot(path: string): Promise<void> {
    const options = { format: 'png', optimizeForSpeed: true } as const;
    const { data } = await this.#devtools.send('Page.captureScreenshot', options);
    await writeFile(path, Buffer.from(data, 'base64'));
  }

  /** What went wrong since the last call: errors and warnings of the console, exceptions, breaches of the policy. */
  problems(): string[] {
    return this.#problems.splice(0);
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}

/** The app tells its system's language; here it is the page's. */
function inLanguage(state: AppState, language: Language): AppState {
  return { ...state, about: { ...state.about, locale: language } };
}

/** Runs in the page before its own scripts. */
function reportViolations(): void {
  const { warrenProblem } = window as unknown as { warrenProblem(problem: string): void };
  document.addEventListener('securitypolicyviolation', (event) => {
    warrenProblem(`policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`);
  });
}
