/**
 * The gallery: every sample state as the real renderer draws it, in both languages, both themes and both widths. The
 * pictures are kept in test-output/gallery (index.html shows them side by side); what a machine can see is asserted.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from './chromium.ts';
import { contactSheet } from './contact-sheet.ts';
import { expectedWords, plain } from './expected-words.ts';
import type { Sample } from './fixtures/sample.ts';
import { STATES } from './fixtures/states.ts';
import { auditLayout } from './layout-audit.ts';
import { enter, WORDS } from './navigation.ts';
import {
  buildRenderer,
  type Language,
  NARROW,
  RENDERER_OUTPUT,
  RendererPage,
  ROOT,
  type Theme,
  WIDE,
} from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

const GALLERY = join(ROOT, 'test-output/gallery');
const LANGUAGES: Language[] = ['en', 'zh-CN'];
const THEMES: Theme[] = ['dark', 'light'];
const WIDTHS = { wide: WIDE, narrow: NARROW };

describeBrowser('the gallery', () => {
  let browser: Browser;
  let server: StaticServer;

  beforeAll(async () => {
    buildRenderer();
    rmSync(GALLERY, { recursive: true, force: true });
    mkdirSync(GALLERY, { recursive: true });
    server = await serveStatic(RENDERER_OUTPUT);
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    writeFileSync(
      join(GALLERY, 'index.html'),
      contactSheet(Object.keys(STATES), LANGUAGES, THEMES, Object.keys(WIDTHS)),
    );
  });

  for (const language of LANGUAGES) {
    for (const theme of THEMES) {
      describe(`${language}, ${theme}`, () => {
        let renderer: RendererPage;
        beforeAll(async () => {
          renderer = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state, { language, theme });
        });
        afterAll(() => renderer?.close());

        it.each(Object.entries(STATES))('%s', async (name, sample) => {
          const flaws = await draw(renderer, sample, (width) => `${name}.${language}.${theme}.${width}.png`);
          expect(flaws).toEqual([]);
        });
      });
    }
  }
});

/** Shows the sample at each width, keeps a picture of it, and returns what is wrong with it. */
async function draw(renderer: RendererPage, sample: Sample, file: (width: string) => string): Promise<string[]> {
  const flaws: string[] = [];
  await enter(renderer, sample);
  for (const [width, size] of Object.entries(WIDTHS)) {
    await renderer.page.setViewportSize(size);
    const seen = plain(await renderer.visibleText());
    const expected = [...expectedWords(sample), ...(sample.says?.(WORDS[renderer.language]) ?? [])];
    const missing = expected.filter((words) => !seen.includes(plain(words)));
    await renderer.screenshot(join(GALLERY, file(width)));
    flaws.push(
      ...missing.map((words) => `${width}: does not say "${words}"`),
      ...(await auditLayout(renderer.page)).map((flaw) => `${width}: ${flaw}`),
      ...renderer.problems().map((problem) => `${width}: ${problem}`),
    );
  }
  return flaws;
}
