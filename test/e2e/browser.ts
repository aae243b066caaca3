/** A player with the browser UI: `warren ui` in a namespace, and a Chromium beside it that shows its page. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type Snapshot, snapshot } from '../../protocol/app.ts';
import { command, firstLine, warren } from '../lab/cli.ts';
import type { Lab, LabProcess, Namespace } from '../lab/netns.ts';
import { until } from '../until.ts';
import { launchChromium } from './chromium.ts';

/** Longest that a person would wait for what the tests wait for, on a machine that runs everything else as well. */
const PATIENCE_MS = 60_000;
/** The desktop size of the design. */
const VIEWPORT = { width: 1_280, height: 860 };

export interface PlayerOptions {
  /** Further arguments of `ui`. */
  readonly extra?: readonly string[];
}

export class BrowserPlayer {
  readonly namespace: Namespace;
  readonly stateDir: string;
  readonly page: Page;
  /** What the page threw, logged as an error, or was forbidden by its policy. */
  readonly problems: string[] = [];
  readonly #lab: Lab;
  readonly #extra: readonly string[];
  readonly #browser: Browser;
  #ui: LabProcess;

  private constructor(
    lab: Lab,
    namespace: Namespace,
    made: { stateDir: string; extra: readonly string[]; ui: LabProcess; browser: Browser; page: Page },
  ) {
    this.#lab = lab;
    this.namespace = namespace;
    this.stateDir = made.stateDir;
    this.page = made.page;
    this.#extra = made.extra;
    this.#ui = made.ui;
    this.#browser = made.browser;
    this.page.setDefaultTimeout(PATIENCE_MS);
    this.page.on('pageerror', (error) => this.problems.push(String(error)));
    this.page.on('console', (message) => {
      // A server that is gone is part of the tests; Chromium reports each attempt.
      const expected = message.text().startsWith('WebSocket connection to');
      if (message.type() === 'error' && !expected) this.problems.push(message.text());
    });
  }

  /** Starts the command and opens the address that it prints. */
  static async start(lab: Lab, namespace: Namespace, { extra = [] }: PlayerOptions = {}): Promise<BrowserPlayer> {
    const stateDir = await mkdtemp(join(tmpdir(), 'warren-e2e-'));
    const [{ ui, url }, browser] = await Promise.all([
      startUi(lab, namespace, stateDir, extra),
      launchChromium({ namespace }),
    ]);
    const context = await browser.newContext({ locale: 'en-US', viewport: VIEWPORT });
    const page = await context.newPage();
    const player = new BrowserPlayer(lab, namespace, { stateDir, extra, ui, browser, page });
    await page.goto(url);
    return player;
  }

  /** What `warren status --json` says beside the page. */
  async status(): Promise<Snapshot> {
    const { code, stdout, stderr } = await warren(this.#lab, this.namespace, [
      'status',
      '--json',
      '--state-dir',
      this.stateDir,
    ]);
    if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
    return snapshot.parse(JSON.parse(stdout));
  }

  /** Resolves once `warren status --json` fits. */
  async statusIs(what: string, fits: (found: Snapshot) => boolean): Promise<void> {
    let last: Snapshot | null = null;
    await until(
      `status: ${what}`,
      async () => {
        last = await this.status();
        return fits(last);
      },
      PATIENCE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${JSON.stringify(last)}\n${this.#ui.errors}`);
    });
  }

  /** Ends the command; resolves with its exit code. */
  stopUi(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    return this.#ui.stop(signal);
  }

  /** Starts the command again; resolves with the address that it prints. */
  async restartUi(extra: readonly string[] = this.#extra): Promise<string> {
    const { ui, url } = await startUi(this.#lab, this.namespace, this.stateDir, extra);
    this.#ui = ui;
    return url;
  }

  /** Resolves with the exit code when the command ends by itself. */
  get ended(): Promise<number> {
    return this.#ui.exited;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#ui.stop();
    await rm(this.stateDir, { recursive: true, force: true });
  }
}

async function startUi(lab: Lab, namespace: Namespace, stateDir: string, extra: readonly string[]) {
  const argv = ['ui', '--json', '--state-dir', stateDir, ...extra];
  // Its router is the lab's: unlike that of the machine, it may be asked for ports.
  const env = { ...process.env, WARREN_PORT_MAPPING: 'on' };
  const ui = lab.spawn(namespace, [process.execPath, command, ...argv], { env });
  const line = await firstLine(ui, (text) => text.includes('"ui"'));
  return { ui, url: (JSON.parse(line) as { ui: { url: string } }).ui.url };
}
