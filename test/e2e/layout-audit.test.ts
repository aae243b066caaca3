import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from './chromium.ts';
import { auditLayout } from './layout-audit.ts';
import { describeBrowser } from './requirements.ts';

describeBrowser('the audit of a page', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 380, height: 720 } });
  });
  afterAll(() => browser.close());

  const flaws = async (html: string) => {
    await page.setContent(`<!doctype html><body style="margin:0;font:16px sans-serif">${html}</body>`);
    return await auditLayout(page);
  };

  it.each([
    ['plain text', '<p>All is well</p>'],
    [
      'an ellipsis',
      '<p style="width:60px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap">cut with dots</p>',
    ],
    ['what a list holds below its edge', '<div style="height:50px;overflow:auto"><p>one<p>two<p>three</div>'],
    ['words for screen readers', '<span style="position:absolute;width:1px;height:1px;overflow:hidden">unseen</span>'],
    ['the page behind a dialog', '<dialog open aria-modal="true" style="top:0">asks</dialog><p>below it</p>'],
    ['a link over a whole card', '<p>card</p><button style="position:absolute;inset:0;background:none"></button>'],
    ['a version and an address', '<p>0.1.0</p><p>10.64.0.1</p><p>wss://rendezvous.example.net</p>'],
  ])('has nothing against %s', async (_what, html) => {
    expect(await flaws(html)).toEqual([]);
  });

  it.each([
    ['a window that scrolls sideways', '<div style="width:600px">wide</div>', 'scrolls sideways'],
    [
      'text cut off at the side',
      '<p style="width:60px;overflow:hidden;white-space:nowrap">cut without dots</p>',
      'cut off',
    ],
    ['text cut off below', '<p style="width:60px;height:30px;overflow:hidden">cut after some lines</p>', 'cut off'],
    [
      'text beyond the window',
      '<p style="position:fixed;left:350px;white-space:nowrap">too far right</p>',
      'beyond the window',
    ],
    [
      'text under something',
      '<p>hidden words</p><div style="position:absolute;inset:0;background:red">x</div>',
      'lies under',
    ],
    ['text on text', '<p style="height:0;margin:0">one</p><p style="position:relative;margin:0">two</p>', 'lies under'],
    ['the key of a missing message', '<p>room.empty.title</p>', 'untranslated'],
    ['a key that is only heard', '<button aria-label="room.leave">x</button>', 'untranslated'],
  ])('finds %s', async (_what, html, words) => {
    expect((await flaws(html)).join('\n')).toContain(words);
  });
});
