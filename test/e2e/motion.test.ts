/** Motion only where a state changes, never more than 150 ms, and none for who asked for none. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from './chromium.ts';
import type { Sample } from './fixtures/sample.ts';
import { STATES } from './fixtures/states.ts';
import { enter } from './navigation.ts';
import { buildRenderer, RENDERER_OUTPUT, RendererPage } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

const SAMPLES = ['first-recent', 'room-mixed', 'punching-member', 'network-nat4-block', 'settings', 'invitation'];

describeBrowser('motion', () => {
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

  /** Longest transition or animation of anything on the page, ms, in each sample. */
  const longest = async (motion: 'reduce' | 'no-preference') => {
    const renderer = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state, { motion });
    const found: number[] = [];
    for (const name of SAMPLES) {
      await enter(renderer, STATES[name] as Sample);
      found.push(
        await renderer.page.evaluate(() => {
          const times = [...document.querySelectorAll('*')].flatMap((element) => {
            const { transitionDuration, animationDuration, animationName } = getComputedStyle(element);
            const lasting = animationName === 'none' ? [transitionDuration] : [transitionDuration, animationDuration];
            return lasting.flatMap((list) => list.split(',').map((time) => Number.parseFloat(time) * 1_000));
          });
          return Math.max(...times);
        }),
      );
    }
    await renderer.close();
    return found;
  };

  it('never lasts longer than 150 ms', async () => {
    const times = await longest('no-preference');
    expect(Math.max(...times)).toBeGreaterThan(0);
    expect(Math.max(...times)).toBeLessThanOrEqual(150);
  });

  it('is not there for who wants none', async () => {
    expect(await longest('reduce')).toEqual(SAMPLES.map(() => 0));
  });
});
