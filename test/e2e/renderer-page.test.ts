import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../until.ts';
import { launchChromium } from './chromium.ts';
import { STATES } from './fixtures/states.ts';
import { RendererPage } from './renderer-page.ts';
import { describeBrowser } from './requirements.ts';
import { serveStatic, type StaticServer } from './static-server.ts';

/** A face as small as can be: shows the state of the connection and of the link, and sends what its buttons say. */
const FACE = `
const client = window.__warrenTestClient;
const show = (id, text) => { document.getElementById(id).textContent = text; };
client.subscribe((change) => { if (change.connection) show('connection', change.connection.state); });
client.onLink((up) => show('link', up ? 'up' : 'down'));
for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', async () => {
    show('answer', JSON.stringify(await client.command(JSON.parse(button.dataset.command))));
  });
}
document.getElementById('inline').addEventListener('click', () => {
  document.body.insertAdjacentHTML('beforeend', '<p style="color:red">inline style</p>');
});`;
const PAGE = `<!doctype html><link rel="icon" href="data:,"><main><p id="connection"></p><p id="link"></p><p id="answer"></p>
<button data-command='{"type":"leave"}'>good</button><button data-command='{"type":"leaf"}'>bad</button>
<a id="inline">breach</a></main><script type="module" src="/face.js"></script>`;

describeBrowser('the played app', () => {
  const directory = mkdtempSync(join(tmpdir(), 'warren-face-'));
  let browser: Browser;
  let server: StaticServer;
  let face: RendererPage;
  beforeAll(async () => {
    writeFileSync(join(directory, 'index.html'), PAGE);
    writeFileSync(join(directory, 'face.js'), FACE);
    server = await serveStatic(directory);
    browser = await launchChromium();
    face = await RendererPage.open(browser, server.url, STATES['first-fresh']!.state);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(directory, { recursive: true });
  });

  const text = (id: string) => face.page.locator(`#${id}`).textContent();
  const answerTo = async (button: string) => {
    await face.page.getByRole('button', { name: button }).click();
    await until('an answer', async () => (await text('answer')) !== '');
    return JSON.parse((await text('answer')) ?? '') as unknown;
  };

  it('sends the whole state first, then what changes', async () => {
    await until('the first state', async () => (await text('connection')) === 'idle');
    await face.app.push({ connection: { state: 'starting', room: 'friday' } });
    expect(await text('connection')).toBe('starting');
  });

  it('takes what the contract allows, and no other command', async () => {
    expect(await answerTo('good')).toEqual({ ok: true, result: null });
    expect(face.app.sent('leave')).toHaveLength(1);
    await face.page.locator('#answer').evaluate((element) => element.replaceChildren());
    expect(await answerTo('bad')).toMatchObject({ ok: false, code: 'invalid' });
    expect(face.app.commands).toHaveLength(1);
  });

  it('cannot be asked while the link is down', async () => {
    await face.app.setLink(false);
    expect(await text('link')).toBe('down');
    await face.page.locator('#answer').evaluate((element) => element.replaceChildren());
    expect(await answerTo('good')).toEqual({ ok: false, code: 'unreachable' });
    await face.app.setLink(true);
    expect(await text('link')).toBe('up');
  });

  it('notes a breach of the policy', async () => {
    expect(face.problems()).toEqual([]);
    await face.page.locator('#inline').click();
    const noted: string[] = [];
    await until('a problem', () => noted.push(...face.problems()) > 1);
    expect(noted.join('\n')).toContain('policy: style-src');
  });
});
