/** The page's end of the WebSocket (renderer/transport/web.ts) against the real server. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startUiServer, type UiServer } from '../../../../cli/ui/server.ts';
import type { StateChange } from '../../../../protocol/face.ts';
import { createWebClient, type WebClient, type WebPage } from '../../../../renderer/transport/web.ts';
import { until } from '../../../until.ts';
import { AppDouble, OFF } from './app-double.ts';
import { ASSETS } from './harness.ts';

let app: AppDouble;
let server: UiServer;
let clients: WebClient[];
beforeEach(async () => {
  app = new AppDouble();
  server = await start(0);
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.close();
  await server.close();
});

const start = (port: number) => startUiServer({ app, assets: ASSETS, port, log: () => {} });

/** A tab: what its address bar and its storage hold, and what it dialled. */
class TabDouble implements WebPage {
  readonly host: string;
  hash = '';
  readonly stored = new Map<string, string>();
  readonly storage = {
    getItem: (key: string) => this.stored.get(key) ?? null,
    setItem: (key: string, value: string) => void this.stored.set(key, value),
    removeItem: (key: string) => void this.stored.delete(key),
  };
  dialled = 0;
  /** Text that arrives before the server's. */
  inject: unknown[] = [];
  #onAddress = () => {};

  constructor(port: number) {
    this.host = `127.0.0.1:${port}`;
  }

  takeCode() {
    const { hash } = this;
    this.hash = '';
    return hash === '' ? null : hash.slice('#code='.length);
  }

  onAddress(listener: () => void) {
    this.#onAddress = listener;
  }

  /** A person pastes another address. */
  open(address: string) {
    this.hash = new URL(address).hash;
    this.#onAddress();
  }

  connect(url: string, events: Parameters<WebPage['connect']>[1]) {
    this.dialled++;
    const socket = new WebSocket(url, { origin: `http://${this.host}` });
    socket.on('open', () => {
      events.opened();
      for (const data of this.inject) events.received(data);
    });
    socket.on('message', (data) => events.received(Buffer.isBuffer(data) ? data.toString() : null));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', (code) => events.closed(code));
    return socket;
  }

  random = () => 0;
}

function open(tab: TabDouble): { client: WebClient; links: boolean[]; refusals: boolean[]; changes: StateChange[] } {
  const client = createWebClient(tab);
  clients.push(client);
  const seen = { client, links: [] as boolean[], refusals: [] as boolean[], changes: [] as StateChange[] };
  client.onLink((up) => seen.links.push(up));
  client.onRefused((refused) => seen.refusals.push(refused));
  client.subscribe((change) => seen.changes.push(change));
  return seen;
}

/** A tab that opened a fresh address. */
function freshTab(): TabDouble {
  const tab = new TabDouble(server.port);
  tab.hash = new URL(server.newAddress()).hash;
  return tab;
}

it('takes the code out of the address bar at once, and keeps the token it becomes', async () => {
  const tab = freshTab();
  const { links, changes } = open(tab);
  expect(tab.hash).toBe('');
  await until('the state', () => changes.length === 1);
  expect(changes[0]).toEqual(OFF);
  expect(links).toEqual([false, true]);
  expect([...tab.stored.values()]).toHaveLength(1);
});

it('is let in again after a reload', async () => {
  const tab = freshTab();
  const { changes } = open(tab);
  await until('the state', () => changes.length === 1);
  clients.pop()?.close();
  const reloaded = open(tab);
  await until('the state', () => reloaded.changes.length === 1);
});

it('tells a late listener the whole state as it is now', async () => {
  const { client, changes } = open(freshTab());
  await until('the state', () => changes.length === 1);
  app.publish({ connection: { state: 'starting', room: 'friday' } });
  await until('the change', () => changes.length === 2);
  expect(changes[1]).toEqual({ connection: { state: 'starting', room: 'friday' } });
  const late: StateChange[] = [];
  client.subscribe((change) => late.push(change));
  expect(late).toEqual([{ ...OFF, connection: { state: 'starting', room: 'friday' } }]);
});

it('hands over commands and their answers', async () => {
  const { client, links } = open(freshTab());
  await until('a link', () => links.at(-1) === true);
  app.answer = async () => ({ link: 'warren://join' });
  expect(await client.command({ type: 'invite' })).toEqual({ ok: true, result: { link: 'warren://join' } });
});

it('answers unreachable without a link, and when it is lost before the answer', async () => {
  app.answer = () => new Promise(() => {});
  const { client, links } = open(freshTab());
  expect(await client.command({ type: 'leave' })).toEqual({ ok: false, code: 'unreachable' });
  await until('a link', () => links.at(-1) === true);
  const asked = client.command({ type: 'leave' });
  await until('it arrived', () => app.asked.length === 1);
  await server.close();
  expect(await asked).toEqual({ ok: false, code: 'unreachable' });
  expect(links.at(-1)).toBe(false);
});

it('comes back when the server does', async () => {
  const tab = freshTab();
  const { links, refusals } = open(tab);
  await until('a link', () => links.at(-1) === true);
  const { port } = server;
  await server.close();
  await until('it tries', () => tab.dialled >= 3);
  // A new process knows none of the old tokens: the page says so instead of asking for ever.
  server = await start(port);
  await until('it is refused', () => refusals.at(-1) === true);
  expect(tab.stored.size).toBe(0);
  tab.open(server.newAddress());
  await until('a link', () => links.at(-1) === true);
  expect(refusals.at(-1)).toBe(false);
  expect(tab.hash).toBe('');
});

it('does not ask again with a code that was refused', async () => {
  const tab = new TabDouble(server.port);
  tab.hash = '#code=nonsense';
  const { refusals, links } = open(tab);
  await until('it is refused', () => refusals.at(-1) === true);
  expect(server.counters.refused).toBe(1);
  expect(tab.dialled).toBe(1);
  expect(links).toEqual([false]);
});

it('ignores what is no message of the contract', async () => {
  const tab = freshTab();
  const state = JSON.stringify({ t: 'state', change: { connection: { state: 'on fire' } } });
  tab.inject = ['{', 'null', '{"t":"welcome"}', state, '{"t":"answer","id":99,"answer":{"ok":true}}', 7, null];
  const { changes, links } = open(tab);
  await until('the state', () => changes.length === 1);
  expect(changes[0]).toEqual(OFF);
  expect(links).toEqual([false, true]);
});
