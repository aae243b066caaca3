/** axe-core's rules of WCAG 2.2 A and AA on every sample state: contrast, names, roles, structure, size of targets. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from './chromium.ts';
import { STATES } from './fixtures/states.ts';
import { enter } from './navigation.ts';
import { buildRenderer, NARROW, RENDERER_OUTPUT, RendererPage, type Theme, WIDE } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** The narrow window shows the same in another layout, so each theme looks at one. */
const LOOKS: { theme: Theme; viewport: { width: number; height: number } }[] = [
  { theme: 'dark', viewport: WIDE },
  { theme: 'light', viewport: NARROW },
];

describeBrowser('accessibility', () => {
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

  for (const { theme, viewport } of LOOKS) {
    describe(`${theme}, ${viewport.width} px`, () => {
      let renderer: RendererPage;
      beforeAll(async () => {
        const options = { theme, viewport, bypassPolicy: true };
        renderer = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state, options);
        await renderer.page.evaluate(AXE);
      });
      afterAll(() => renderer?.close());

      it.each(Object.entries(STATES))('%s', async (_name, sample) => {
        await enter(renderer, sample);
        expect(await violations(renderer.page)).toEqual([]);
      });
    });
  }
});

/** One line for each element that breaks a rule. */
async function violations(page: Page): Promise<string[]> {
  const options: RunOptions = { runOnly: RULES, resultTypes: ['violations'] };
  const results = await page.evaluate(
    (run) => (window as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } }).axe.run(run),
    options,
  );
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}
