/** Everything that the window can ask of the app, asked by keyboard alone. */
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppCommand, type AppState, appCommand } from '../../protocol/face.ts';
import { en } from '../../renderer/i18n/en.ts';
import { until } from '../until.ts';
import { launchChromium } from './chromium.ts';
import { STATES } from './fixtures/states.ts';
import { KeyboardUser } from './keyboard-user.ts';
import { buildRenderer, RENDERER_OUTPUT, RendererPage } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { type StaticServer, serveStatic } from './static-server.ts';

interface Operation {
  from: AppState;
  steps(user: KeyboardUser, renderer: RendererPage): Promise<void>;
  /** What the app is asked at the end. */
  asks: Partial<AppCommand>;
}

const sample = (name: string): AppState => {
  const found = STATES[name];
  if (!found) throw new Error(`no sample ${name}`);
  return found.state;
};

/** Complete by its type: a new command does not compile until someone can reach it. */
const OPERATIONS: Record<AppCommand['type'], Operation | 'the tray'> = {
  join: {
    from: sample('first-fresh'),
    async steps(user, { page }) {
      await user.fill(page.getByLabel(en.first.nick), 'alice');
      await user.fill(page.getByLabel(en.first.room), 'friday');
      await user.fill(page.getByLabel(en.first.password, { exact: true }), 'warm-otter-beacon-42');
      await user.use(page.getByRole('button', { name: en.first.join, exact: true }));
    },
    asks: { type: 'join', room: 'friday', password: 'warm-otter-beacon-42', nick: 'alice', create: false },
  },
  leave: {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.room.leave }));
    },
    asks: { type: 'leave' },
  },
  toggle: 'the tray',
  forget: {
    from: sample('first-recent'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: 'Forget friday-night' }));
      await user.use(page.getByRole('dialog').getByRole('button', { name: en.first.forgetYes }));
    },
    asks: { type: 'forget', room: 'friday-night' },
  },
  'send-file': {
    from: sample('room-files'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: new RegExp(en.member.open.replace('{nick}', '.*')) }).first());
      const chosen = page.waitForEvent('filechooser');
      await user.use(page.getByRole('button', { name: en.files.send }));
      await (await chosen).setFiles({
        name: 'map.w3x',
        mimeType: 'application/octet-stream',
        buffer: Buffer.from('map'),
      });
    },
    asks: { type: 'send-file', path: '/home/alice/map.w3x' },
  },
  file: {
    from: sample('room-files'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: `${en.files.accept}: map pack.zip` }));
    },
    asks: { type: 'file', id: '1'.repeat(32), action: 'accept' },
  },
  filter: {
    from: sample('settings'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.settings }));
      await user.use(page.getByRole('radio', { name: en.reach.games }), 'ArrowRight');
    },
    asks: { type: 'filter', preset: 'open' },
  },
  policy: {
    from: sample('settings-policy'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.settings }));
      await user.use(page.getByRole('button', { name: en.reach.policyRemove }));
    },
    asks: { type: 'policy', text: null },
  },
  dismiss: {
    from: sample('failed-no-server'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.common.dismiss }));
    },
    asks: { type: 'dismiss' },
  },
  'open-invite': {
    from: sample('first-fresh'),
    async steps(user, { page }) {
      // Where the clipboard may not be read, a field takes the link.
      await user.use(page.getByRole('button', { name: en.first.paste }));
      const field = page.getByLabel(en.first.pasteField);
      await field.waitFor();
      await user.fill(field, 'warren://join#v=1');
      await user.press('Enter');
    },
    asks: { type: 'open-invite', link: 'warren://join#v=1' },
  },
  'answer-invite': {
    from: sample('invitation'),
    async steps(user, { page }) {
      await user.use(page.getByRole('dialog').getByRole('button', { name: en.invitation.accept, exact: true }));
    },
    asks: { type: 'answer-invite', accept: true },
  },
  'discovery-check': {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.network }));
      await user.use(page.getByRole('button', { name: en.games.checkNow }));
    },
    asks: { type: 'discovery-check' },
  },
  invite: {
    from: sample('room-empty'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.room.invite, exact: true }));
    },
    asks: { type: 'invite' },
  },
  chat: {
    from: sample('chat-empty'),
    async steps(user, { page }) {
      await user.fill(page.getByRole('textbox', { name: en.chat.field }), 'hello');
      await user.press('Enter');
    },
    asks: { type: 'chat', text: 'hello' },
  },
  ping: {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: /bob/ }));
      await user.use(page.getByRole('button', { name: en.member.pingNow }));
    },
    asks: { type: 'ping' },
  },
  block: {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: /bob/ }));
      await user.use(page.getByRole('button', { name: en.member.block, exact: true }));
      await user.use(page.getByRole('dialog').getByRole('button', { name: en.member.blockYes }));
    },
    asks: { type: 'block', on: true },
  },
  'long-shot': {
    from: sample('long-shot-member'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: /bob/ }));
      await user.use(page.getByRole('button', { name: en.longShot.try }));
      await user.use(page.getByRole('dialog').getByRole('button', { name: /^Ask/ }));
    },
    asks: { type: 'long-shot', action: 'start' },
  },
  set: {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('switch', { name: en.room.hardNat }), 'Space');
    },
    asks: { type: 'set', setting: 'hard-nat', on: false },
  },
  prefer: {
    from: sample('settings'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.settings }));
      await user.use(page.getByRole('switch', { name: en.settings.notifications }), 'Space');
    },
    asks: { type: 'prefer', change: { notifications: false } },
  },
  diagnostics: {
    from: sample('settings'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.settings }));
      await user.use(page.getByRole('button', { name: en.settings.diagnostics }));
    },
    asks: { type: 'diagnostics' },
  },
  window: {
    from: sample('room-1'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.room.mini }));
    },
    asks: { type: 'window', mode: 'mini' },
  },
  'show-file': {
    from: sample('room-files'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: new RegExp(en.files.show) }));
    },
    asks: { type: 'show-file', id: '4'.repeat(32) },
  },
  quit: {
    from: sample('settings'),
    async steps(user, { page }) {
      await user.use(page.getByRole('button', { name: en.nav.settings }));
      await user.use(page.getByRole('button', { name: en.settings.quit }));
    },
    asks: { type: 'quit' },
  },
};

describeBrowser('by keyboard alone', () => {
  let browser: Browser;
  let server: StaticServer;
  beforeAll(async () => {
    buildRenderer();
    server = await serveStatic(RENDERER_OUTPUT);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const withPage = async (from: AppState, use: (renderer: RendererPage, user: KeyboardUser) => Promise<void>) => {
    const renderer = await RendererPage.open(browser, server.url, from);
    try {
      await use(renderer, new KeyboardUser(renderer.page));
      expect(renderer.problems()).toEqual([]);
    } finally {
      await renderer.close();
    }
  };

  describe('every command of the window', () => {
    const operations = appCommand.options
      .map((option) => option.shape.type.value)
      .flatMap((type) => {
        const operation = OPERATIONS[type];
        return operation === 'the tray' ? [] : [[type, operation] as const];
      });
    it.each(operations)('%s', async (type, { from, steps, asks }) => {
      await withPage(from, async (renderer, user) => {
        await steps(user, renderer);
        await until(`the app is asked to ${type}`, () => renderer.app.sent(type).length > 0);
        expect(renderer.app.sent(type)).toMatchObject([asks]);
      });
    });
  });

  describe('a dialog', () => {
    const dialogs: [string, string, (page: Page) => Locator][] = [
      ['to invite', 'room-empty', (page) => page.getByRole('button', { name: en.room.invite, exact: true })],
      ['to forget a room', 'first-recent', (page) => page.getByRole('button', { name: 'Forget friday-night' })],
    ];
    it.each(dialogs)('%s holds the focus, closes with Escape and gives the focus back', async (_what, from, opener) => {
      await withPage(sample(from), async ({ page }, user) => {
        await user.use(opener(page));
        const dialog = page.getByRole('dialog');
        await dialog.waitFor();
        for (let stop = 0; stop < 8; stop += 1) {
          await user.press('Tab');
          expect(await user.within(dialog), await user.focused()).toBe(true);
        }
        await user.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        expect(await user.has(opener(page))).toBe(true);
      });
    });

    it('of an invitation is declined with Escape', async () => {
      await withPage(sample('invitation'), async ({ page, app }, user) => {
        await page.getByRole('dialog').waitFor();
        await user.press('Escape');
        await until('the invitation is declined', () => app.sent('answer-invite').length > 0);
        expect(app.sent('answer-invite')).toMatchObject([{ accept: false }]);
      });
    });
  });

  describe('the order of the focus', () => {
    it('of the first screen is that of the eye', async () => {
      await withPage(sample('first-fresh'), async (_renderer, user) => {
        expect(await user.way(12)).toEqual([
          'button Room',
          'button My network',
          'button Settings',
          'input Nickname',
          'input Network name',
          'button Suggest one',
          'input Password',
          'button Show characters',
          'button Suggest a strong one',
          'input Automatic',
          'button Create',
          'button Join',
        ]);
      });
    });

    it('of a room goes through the header, the members, the switches and the chat', async () => {
      await withPage(sample('room-1'), async (_renderer, user) => {
        const way = await user.way(14);
        const order = [
          'button Leave',
          'button Invite',
          'button Copy 10.64.0.3',
          'input NAT4 punching',
          'input Message',
        ];
        expect(way.filter((stop) => order.includes(stop))).toEqual(order);
      });
    });

    it('shows where it is', async () => {
      await withPage(sample('room-1'), async (_renderer, user) => {
        for (let stop = 0; stop < 14; stop += 1) {
          await user.press('Tab');
          expect(await user.outlined(), await user.focused()).toBe(true);
        }
      });
    });
  });

  it('opens and closes the details of a member', async () => {
    await withPage(sample('room-1'), async ({ page }, user) => {
      const bob = page.getByRole('button', { name: /Details of .?bob/ });
      await user.use(bob);
      expect(await bob.getAttribute('aria-expanded')).toBe('true');
      await user.press('Enter');
      expect(await bob.getAttribute('aria-expanded')).toBe('false');
      expect(await user.has(bob)).toBe(true);
    });
  });
});
