/** What the window costs: from start to usable, from a change to its pixels, a room that only ticks, a crowd that scrolls. */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { AppState } from '../../protocol/face.ts';
import { launchChromium } from '../e2e/chromium.ts';
import { crowd, member } from '../e2e/fixtures/members.ts';
import { app, joined } from '../e2e/fixtures/sample.ts';
import { buildRenderer, RENDERER_OUTPUT, RendererPage } from '../e2e/renderer-page.ts';
import { serveStatic } from '../e2e/static-server.ts';
import { digits, quantile, table } from './figures.ts';

const IDLE_SECONDS = 30;
const SCROLLED_FRAMES = 240;

export async function benchRenderer(runs: number): Promise<string> {
  buildRenderer();
  const server = await serveStatic(RENDERER_OUTPUT);
  const browser = await launchChromium();
  try {
    const open = (state: AppState) => RendererPage.open(browser, server.url, state, { motion: 'no-preference' });
    const starts = await times(runs, async () => {
      const renderer = await open(app());
      const figure = await untilInteractive(renderer.page);
      await renderer.close();
      return figure;
    });
    const eight = joined([1, 2, 3, 4, 5, 6, 7].map((index) => member(index)));
    const small = await open(eight);
    const changes = await times(runs * 10, (run) => changeToPaint(small.page, ticked(eight, run)));
    const idle = await idleShare(browser, small, eight);
    await small.close();
    const sixty = joined(crowd(59));
    const large = await open(sixty);
    const largeChanges = await times(runs * 10, (run) => changeToPaint(large.page, ticked(sixty, run)));
    const frames = await scrollFrames(large.page);
    await large.close();
    return table([
      ['renderer', 'median', '95 of 100', 'largest'],
      row('navigation to interactive, ms', starts),
      row('a change of a room of 8 to its pixels, ms', changes),
      row('a change of a room of 60 to its pixels, ms', largeChanges),
      row('a frame while 60 members scroll, ms', frames),
      ['processor with 8 members and a snapshot a second, % of a core', digits(idle), '', ''],
    ]);
  } finally {
    await browser.close();
    await server.close();
  }
}

const row = (name: string, values: number[]): string[] => [
  name,
  ...[0.5, 0.95, 1].map((p) => digits(quantile(values, p))),
];

async function times(count: number, measure: (run: number) => Promise<number>): Promise<number[]> {
  const figures: number[] = [];
  for (let run = 0; run < count; run += 1) figures.push(await measure(run));
  return figures;
}

/** The figures of every member move a little, as they do each second. */
function ticked(state: AppState, run: number): AppState {
  const peers = state.snapshot.peers.map((peer, at) =>
    peer.path?.rttMs == null ? peer : { ...peer, path: { ...peer.path, rttMs: peer.path.rttMs + ((run + at) % 7) } },
  );
  return { ...state, snapshot: { ...state.snapshot, peers } };
}

/** Milliseconds from the navigation until the first screen was painted: its largest text, and buttons that can be pressed. */
async function untilInteractive(page: Page): Promise<number> {
  await page.locator('main button:enabled').first().waitFor();
  return await page.evaluate(async () => {
    const paints = await new Promise<PerformanceEntry[]>((resolve) => {
      const observer = new PerformanceObserver((list) => resolve(list.getEntries()));
      observer.observe({ type: 'largest-contentful-paint', buffered: true });
    });
    return Math.max(...paints.map(({ startTime }) => startTime));
  });
}

/** Milliseconds in the page from a pushed state until the frame that shows it was handed over. */
async function changeToPaint(page: Page, state: AppState): Promise<number> {
  return await page.evaluate(async (change) => {
    const { warrenTest } = window as unknown as { warrenTest: { push(change: unknown): void } };
    const start = performance.now();
    warrenTest.push(change);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    // A message that is sent in the last step before the paint arrives after it.
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener('message', resolve);
      port1.start();
      port2.postMessage(null);
    });
    return performance.now() - start;
  }, state);
}

/** Percent of a core that Chromium's renderer processes use while a snapshot a second comes in. */
async function idleShare(browser: Browser, renderer: RendererPage, state: AppState): Promise<number> {
  const devtools = await browser.newBrowserCDPSession();
  const used = async () => {
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  };
  const before = await used();
  const began = performance.now();
  for (let second = 0; second < IDLE_SECONDS; second += 1) {
    await renderer.app.push(ticked(state, second));
    await elapse(Math.max(0, began + (second + 1) * 1_000 - performance.now()));
  }
  return (100_000 * ((await used()) - before)) / (performance.now() - began);
}

/** Milliseconds between frames while the list of members goes up and down. */
async function scrollFrames(page: Page): Promise<number[]> {
  return await page.evaluate(async (count) => {
    const tall = [...document.querySelectorAll('*')].filter(
      (element) => element.scrollHeight > element.clientHeight + 50,
    );
    const list = tall.find((element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowY));
    if (!list) throw new Error('no list scrolls');
    const frames: number[] = [];
    let last = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
    for (let frame = 0; frame < count; frame += 1) {
      const way = list.scrollHeight - list.clientHeight;
      list.scrollTop = way * Math.abs(Math.sin(frame / 20));
      const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
      frames.push(now - last);
      last = now;
    }
    return frames;
  }, SCROLLED_FRAMES);
}
