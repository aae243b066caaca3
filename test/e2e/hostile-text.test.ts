/** Nicknames, room names and chat come from strangers: they are shown as text, keep to their own direction, and do nothing. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { plain } from './expected-words.ts';
import { HOSTILE_TEXTS } from './fixtures/members.ts';
import type { Sample } from './fixtures/sample.ts';
import { STATES } from './fixtures/states.ts';
import { launchChromium } from './chromium.ts';
import { enter } from './navigation.ts';
import { buildRenderer, RENDERER_OUTPUT, RendererPage } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

describeBrowser('text from strangers', () => {
  let browser: Browser;
  let server: StaticServer;
  let renderer: RendererPage;
  beforeAll(async () => {
    buildRenderer();
    server = await serveStatic(RENDERER_OUTPUT);
    browser = await launchChromium();
    renderer = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const show = (name: string) => enter(renderer, STATES[name] as Sample);

  it.each(['chat', 'long-nicks', 'invitation-leaving'])('makes no element and runs nothing (%s)', async (name) => {
    await show(name);
    const made = await renderer.page.evaluate(() => ({
      elements: document.querySelectorAll('main img, main b, main i, main script, main a, dialog b, dialog a').length,
      pwned: 'pwned' in globalThis,
    }));
    expect(made).toEqual({ elements: 0, pwned: false });
    expect(renderer.problems()).toEqual([]);
  });

  it.each(Object.entries(HOSTILE_TEXTS))('is said as it was written (%s)', async (_name, text) => {
    await show('chat');
    expect(plain(await renderer.visibleText())).toContain(plain(text));
  });

  it.each(['chat', 'long-nicks', 'room-mixed'])('turns nothing but itself (%s)', async (name) => {
    const sample = STATES[name] as Sample;
    const { peers, chat } = sample.state.snapshot;
    await show(name);
    const foreign = [...peers.map(({ nick }) => nick), ...chat.flatMap(({ nick, text }) => [nick, text])].map(plain);
    const loose = await renderer.page.evaluate((texts) => {
      const found: string[] = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = (node.textContent ?? '').trim();
        const isolate = node.parentElement && getComputedStyle(node.parentElement).unicodeBidi;
        if (texts.includes(text) && isolate !== 'isolate' && isolate !== 'plaintext') found.push(text);
      }
      return found;
    }, foreign);
    expect(loose).toEqual([]);
  });

  it('cannot leave an override open', async () => {
    await show('chat');
    expect(await renderer.visibleText()).not.toMatch(/[\u202A-\u202E\u2066\u2067]/);
  });
});
