/** What other pages of the same browser can do to the browser UI: nothing. Real Chromium, real server, an app double behind it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Asset, Assets } from '../../cli/ui/assets.ts';
import { startUiServer, type UiServer } from '../../cli/ui/server.ts';
import { AppDouble } from '../unit/cli/ui/app-double.ts';
import { until } from '../until.ts';
import { launchChromium } from './chromium.ts';
import { describeBrowser } from './requirements.ts';

const PAGE = `<!doctype html><title>waiting</title>
<script>document.title = 'inline ran';</script>
<script src="/assets/own.js"></script>
<p style="color: rgb(1, 2, 3)" id="styled">text</p>`;

/** Says hello with the code, as the real client does, and shows what it was told. */
const SCRIPT = `
const code = new URLSearchParams(location.hash.slice(1)).get('code');
history.replaceState(null, '', location.pathname);
try { new Function('return 1')(); document.title = 'eval ran'; } catch {}
const socket = new WebSocket('ws://' + location.host + '/face');
socket.onopen = () => socket.send(JSON.stringify({ t: 'hello', version: 1, code }));
socket.onmessage = ({ data }) => { if (JSON.parse(data).t === 'welcome') document.title = 'welcome'; };
`;

const asset = (text: string, type: string): Asset => ({ bytes: Buffer.from(text), type, immutable: false });
const ASSETS: Assets = new Map([
  ['/', asset(PAGE, 'text/html; charset=utf-8')],
  ['/assets/own.js', asset(SCRIPT, 'text/javascript; charset=utf-8')],
]);

describeBrowser('the browser UI among other pages', () => {
  let browser: Browser;
  let page: Page;
  let app: AppDouble;
  let ui: UiServer;
  let evil: Server;
  /** Origin of another page of this machine. */
  let evilOrigin: string;

  beforeAll(async () => {
    browser = await launchChromium({ rebound: ['evil.example'] });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    app = new AppDouble();
    ui = await startUiServer({ app, assets: ASSETS, port: 0, log: () => {} });
    evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>evil</title>'));
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    evilOrigin = `http://127.0.0.1:${(evil.address() as AddressInfo).port}`;
    page = await browser.newPage();
  });
  afterEach(async () => {
    await page.close();
    evil.close();
    await ui.close();
  });

  const ownOrigin = () => `http://127.0.0.1:${ui.port}`;

  /** How a WebSocket from this page ends: its first message, or `closed`. */
  const dial = (url: string, hello: string) =>
    page.evaluate(
      ([address, text]) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(address as string);
          socket.addEventListener('open', () => socket.send(text as string));
          socket.addEventListener('message', ({ data }) => resolve(String(data)));
          socket.addEventListener('close', () => resolve('closed'));
        }),
      [url, hello],
    );
  const hello = () =>
    JSON.stringify({ t: 'hello', version: 1, code: new URL(ui.newAddress()).hash.slice('#code='.length) });

  it('works, without inline scripts, inline styles or eval, and with a clean address bar', async () => {
    await page.goto(ui.newAddress());
    await page.waitForFunction(() => document.title === 'welcome');
    expect(page.url()).toBe(`${ownOrigin()}/`);
    expect(await page.evaluate(() => history.length)).toBeLessThanOrEqual(2);
    const colour = await page.locator('#styled').evaluate((element) => getComputedStyle(element).color);
    expect(colour).not.toBe('rgb(1, 2, 3)');
  });

  it('talks to no page of another origin, even one that has a code', async () => {
    await page.goto(evilOrigin);
    expect(await dial(`ws://127.0.0.1:${ui.port}/face`, hello())).toBe('closed');
    expect(ui.counters.origin).toBe(1);
    expect(app.watchers).toBe(0);
  });

  it('answers nothing to a name that was rebound to this machine', async () => {
    const answer = await page.goto(`http://evil.example:${ui.port}/`);
    expect(answer?.status()).toBe(403);
    expect(await page.locator('body').textContent()).toBe('403 Forbidden\n');
    await page.goto(evilOrigin.replace('127.0.0.1', 'evil.example'));
    const before = ui.counters.host;
    expect(await dial(`ws://evil.example:${ui.port}/face`, hello())).toBe('closed');
    expect(ui.counters.host).toBe(before + 1);
    expect(app.watchers).toBe(0);
  });

  it('cannot be read by another page', async () => {
    await page.goto(evilOrigin);
    const read = await page.evaluate(async (url) => {
      const plain = await fetch(url).then(
        () => 'read',
        () => 'blocked',
      );
      const opaque = await fetch(url, { mode: 'no-cors' }).then(
        () => 'read',
        () => 'blocked',
      );
      return [plain, opaque];
    }, `${ownOrigin()}/`);
    expect(read).toEqual(['blocked', 'blocked']);
    const script = await page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const element = document.createElement('script');
          element.src = url;
          element.addEventListener('load', () => resolve('loaded'));
          element.addEventListener('error', () => resolve('blocked'));
          document.head.append(element);
        }),
      `http://evil.example:${ui.port}/assets/own.js`,
    );
    expect(script).toBe('blocked');
  });

  it('cannot be framed', async () => {
    await page.goto(evilOrigin);
    await page.evaluate((url) => {
      const frame = document.createElement('iframe');
      frame.src = url;
      document.body.append(frame);
    }, ui.newAddress());
    await until('the frame was refused', () =>
      page.frames().some((frame) => frame !== page.mainFrame() && frame.url().startsWith('chrome-error:')),
    );
    expect(app.watchers).toBe(0);
  });

  it('cannot be reached through a window that another page opened', async () => {
    await page.goto(evilOrigin);
    const [opened] = await Promise.all([
      page.context().waitForEvent('page'),
      page.evaluate((url) => {
        Object.assign(globalThis, { opened: open(url) });
      }, ui.newAddress()),
    ]);
    await opened.waitForFunction(() => document.title === 'welcome');
    expect(await opened.evaluate(() => opener)).toBeNull();
    expect(await page.evaluate(() => (globalThis as unknown as { opened: Window }).opened.closed)).toBe(true);
    await opened.close();
  });
});
