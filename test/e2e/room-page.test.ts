/** What the room tells without being asked, and what it takes from who presses on. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { AppState } from '../../protocol/face.ts';
import { en } from '../../renderer/i18n/en.ts';
import { launchChromium } from './chromium.ts';
import { chatMessage, member } from './fixtures/members.ts';
import { joined, returning, ROOM } from './fixtures/sample.ts';
import { STATES } from './fixtures/states.ts';
import { buildRenderer, NARROW, RENDERER_OUTPUT, RendererPage, WIDE } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

describeBrowser('the room', () => {
  let browser: Browser;
  let server: StaticServer;
  let renderer: RendererPage;
  beforeAll(async () => {
    buildRenderer();
    server = await serveStatic(RENDERER_OUTPUT);
    browser = await launchChromium();
  });
  afterEach(() => renderer?.close());
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const bob = member(1);
  const said = (...texts: string[]): AppState =>
    joined([bob], { chat: texts.map((text, index) => chatMessage(index, bob, text)) });
  const chatTab = (unread = '') =>
    renderer.page.getByRole('button', { name: `${en.room.chatTab}${unread}`, exact: true });

  it('counts in a small window what was said while the friends were shown, until the chat is', async () => {
    renderer = await RendererPage.open(browser, server.url, said('before'), { viewport: NARROW });
    await chatTab().waitFor();
    await renderer.show(said('before', 'one', 'two'));
    await chatTab(' 2 new messages').click();
    await chatTab().waitFor();
    await renderer.show(said('before', 'one', 'two', 'three'));
    await chatTab().waitFor();
  });

  it('counts nothing that stood beside the friends', async () => {
    renderer = await RendererPage.open(browser, server.url, said('before'), { viewport: WIDE });
    await renderer.show(said('before', 'one'));
    await renderer.page.setViewportSize(NARROW);
    await chatTab().waitFor();
  });

  it('is not called connected while nobody knows', async () => {
    renderer = await RendererPage.open(browser, server.url, joined([bob]));
    const connected = renderer.page.getByText(en.state.joined, { exact: true });
    await connected.waitFor();
    await renderer.app.setLink(false);
    await connected.waitFor({ state: 'detached' });
  });

  it('opens a friend by a press on the reason too', async () => {
    renderer = await RendererPage.open(browser, server.url, STATES['room-strict-friend']!.state);
    await renderer.page.getByText(en.reason['gave-up']).click({ force: true });
    await renderer.page.getByRole('heading', { name: en.member.timeline }).waitFor();
  });

  it('is created by Enter where this PC is its meeting point, and joined elsewhere', async () => {
    renderer = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state);
    const { page, app } = renderer;
    await page.getByLabel(en.first.nick).fill('alice');
    await page.getByLabel(en.first.room).fill('friday');
    await page.getByLabel(en.first.password, { exact: true }).fill('warm-otter-beacon-42');
    await page.getByLabel(en.first.nick).press('Enter');
    await page.getByRole('radio', { name: en.server.host }).check();
    await page.getByLabel(en.first.nick).press('Enter');
    expect(app.sent('join').map(({ create }) => create)).toEqual([false, true]);
  });

  it('is not asked for again with a saved password that was refused', async () => {
    const connection = { state: 'failed', room: ROOM, code: 'wrong-password', at: 0 } as const;
    renderer = await RendererPage.open(browser, server.url, returning({ connection }));
    await renderer.page.getByRole('button', { name: en.first.join, exact: true }).click();
    await renderer.page.getByText(en.first.needPassword).waitFor();
    expect(renderer.app.sent('join')).toEqual([]);
  });
});
