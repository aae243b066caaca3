/**
 * An `AppClient` (protocol/face.ts) inside a page, played by a test: the renderer takes `window.__warrenTestClient` in
 * place of its transport. Commands come out here and are parsed by the contract; states go in with `push`.
 */
import type { Page } from 'playwright-core';
import type { DiscoveryCheck } from '../../protocol/discovery.ts';
import {
  type AppClient,
  type AppCommand,
  type AppState,
  appCommand,
  appState,
  type CommandAnswer,
  type StateChange,
  stateChange,
} from '../../protocol/face.ts';
import { LONG_CHINESE_NICK, LONG_LATIN_NICK } from './fixtures/members.ts';

/** What the script in the page adds to its window. */
interface FakeWindow {
  warrenTest: { push(change: StateChange): void; setLink(up: boolean): void };
  warrenCommand(command: unknown): Promise<CommandAnswer>;
}

export type Answers = (command: AppCommand) => CommandAnswer | Promise<CommandAnswer>;

export class FakeApp {
  /** Everything that the page asked, oldest first. */
  readonly commands: AppCommand[] = [];
  /** How commands are answered from now on. */
  answers: Answers = accept;
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** Before the page is opened; `initial` is what its first subscription gets, at every load. */
  static async install(page: Page, initial: AppState): Promise<FakeApp> {
    const fake = new FakeApp(page);
    await page.exposeFunction('warrenCommand', (sent: unknown) => fake.#command(sent));
    await page.addInitScript(provideClient, appState.parse(initial));
    return fake;
  }

  /** Resolves once the page has drawn what it made of the change. */
  async push(change: StateChange): Promise<void> {
    await this.#page.evaluate(pushAndPaint, stateChange.parse(change));
  }

  async setLink(up: boolean): Promise<void> {
    await this.#page.evaluate((link) => (window as unknown as FakeWindow).warrenTest.setLink(link), up);
  }

  /** Commands of one type, oldest first. */
  sent<T extends AppCommand['type']>(type: T): Extract<AppCommand, { type: T }>[] {
    return this.commands.filter((command): command is Extract<AppCommand, { type: T }> => command.type === type);
  }

  async #command(sent: unknown): Promise<CommandAnswer> {
    const { success, data } = appCommand.safeParse(sent);
    if (!success) return { ok: false, code: 'invalid', message: `not in the contract: ${JSON.stringify(sent)}` };
    this.commands.push(data);
    return await this.answers(data);
  }
}

/** As an app would that has nothing against it. */
export function accept(command: AppCommand): CommandAnswer {
  if (command.type === 'invite') return { ok: true, result: { link: 'warren://join#v=1&n=ZnJpZGF5&p=cGFzcw&s=d3M' } };
  if (command.type === 'diagnostics') return { ok: true, result: { name: 'warren-diagnostics.json', text: '{}' } };
  if (command.type === 'ping') return { ok: true, result: { nick: 'bob', ipv4: null, rttMs: 18.2, path: 'direct' } };
  if (command.type === 'discovery-check') return { ok: true, result: HEARD };
  return { ok: true, result: null };
}

const HEARD: DiscoveryCheck = {
  members: [
    { nick: 'bob', ipv4: '10.64.0.2', broadcastMs: 18.4, multicastMs: 18.9 },
    { nick: 'dora', ipv4: '10.64.0.5', broadcastMs: 31, multicastMs: null },
    { nick: LONG_CHINESE_NICK, ipv4: '10.64.0.3', broadcastMs: null, multicastMs: 41 },
    { nick: LONG_LATIN_NICK, ipv4: '10.64.0.4', broadcastMs: null, multicastMs: null },
  ],
};

/** Runs in the page before its own scripts. */
function provideClient(initial: AppState): void {
  let state = initial;
  let up = true;
  const listeners = new Set<(change: StateChange) => void>();
  const links = new Set<(up: boolean) => void>();
  const page = window as unknown as FakeWindow;
  const client: AppClient = {
    subscribe(listener) {
      // Over IPC or a socket the first state comes later as well.
      queueMicrotask(() => {
        listeners.add(listener);
        listener(state);
      });
      return () => listeners.delete(listener);
    },
    command: (command) =>
      up ? page.warrenCommand(command) : Promise.resolve({ ok: false as const, code: 'unreachable' }),
    onLink(listener) {
      links.add(listener);
      listener(up);
      return () => links.delete(listener);
    },
    pathOf: (file) => `/home/alice/${(file as File).name}`,
  };
  Object.assign(window, { __warrenTestClient: client });
  page.warrenTest = {
    push(change) {
      state = { ...state, ...change };
      for (const listener of listeners) listener(change);
    },
    setLink(now) {
      up = now;
      for (const listener of links) listener(now);
    },
  };
}

/** Runs in the page. Two frames later what React made of it has been painted. */
async function pushAndPaint(change: StateChange): Promise<void> {
  (window as unknown as FakeWindow).warrenTest.push(change);
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  await frame();
  await frame();
}
