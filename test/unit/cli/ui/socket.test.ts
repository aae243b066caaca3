import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WarrenError } from '../../../../protocol/errors.ts';
import { WEB_CLOSE_REFUSED } from '../../../../protocol/face.ts';
import { until } from '../../../until.ts';
import { snapshot } from '../snapshots.ts';
import { OFF } from './app-double.ts';
import { Ui } from './harness.ts';

let ui: Ui;
let clock = 0;
beforeEach(async () => {
  clock = 0;
  ui = await Ui.start({ now: () => clock });
});
afterEach(() => ui.close());

describe('the upgrade', () => {
  it.for([
    ['another site', { origin: 'http://evil.example' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['a sandboxed frame or a file', { origin: 'null' }],
    ['our other name', { origin: 'http://localhost:PORT' }],
    ['https', { origin: 'https://127.0.0.1:PORT' }],
    ['a program that says nothing', {}],
  ] as const)('is refused to a page of %s', async ([, headers]) => {
    const given = Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(ui.server.port))]);
    expect(await ui.tab(Object.fromEntries(given) as Record<string, string>).ended).toBe(403);
    expect(ui.server.counters.origin).toBe(1);
  });

  it('is refused to a rebound name, though the page came from there', async () => {
    const host = `evil.example:${ui.server.port}`;
    expect(await ui.tab({ host, origin: `http://${host}` }).ended).toBe(403);
    expect(ui.server.counters.host).toBe(1);
  });

  it('is possible under the name localhost, for its own page', async () => {
    const host = `localhost:${ui.server.port}`;
    await ui.tab({ host, origin: `http://${host}` }).opened;
  });

  it('is refused elsewhere', async () => {
    expect(await ui.tab(undefined, '/other').ended).toBe(404);
    expect(await ui.tab(undefined, '/face?x').ended).toBe(404);
  });

  it('is refused beyond eight tabs, and possible again when one has gone', async () => {
    const tabs = await Promise.all(Array.from({ length: 8 }, () => ui.admitted()));
    expect(await ui.tab().ended).toBe(503);
    expect(ui.server.counters.tooMany).toBe(1);
    tabs[0]?.socket.close();
    await tabs[0]?.ended;
    await until('a place', async () => {
      const tab = ui.tab();
      return (await Promise.race([tab.opened.then(() => 0), tab.ended])) === 0;
    });
  });
});

describe('hello', () => {
  it('with a code is welcomed with a token, and then told the whole state', async () => {
    const tab = await ui.admitted();
    expect(tab.messages[0]).toEqual({ t: 'welcome', token: tab.token });
    expect(tab.messages[1]).toEqual({ t: 'state', change: OFF });
  });

  it('with the token is welcomed again, as after a reload', async () => {
    const { token } = await ui.admitted();
    const again = ui.tab();
    await again.opened;
    again.send({ t: 'hello', version: 1, token });
    await until('the state', () => again.changes().length === 1);
    expect(again.token).toBe(token);
  });

  it('with a used code is refused, unless the tab was let in before', async () => {
    const code = ui.newCode();
    const first = ui.tab();
    await first.opened;
    first.send({ t: 'hello', version: 1, code });
    await until('a welcome', () => first.token !== null);
    const thief = ui.tab();
    await thief.opened;
    thief.send({ t: 'hello', version: 1, code });
    expect(await thief.ended).toBe(WEB_CLOSE_REFUSED);
    const reloaded = ui.tab();
    await reloaded.opened;
    reloaded.send({ t: 'hello', version: 1, code, token: first.token });
    await until('a welcome', () => reloaded.token === first.token);
  });

  it('with an old code is refused', async () => {
    const code = ui.newCode();
    clock = 3_600_000;
    const tab = ui.tab();
    await tab.opened;
    tab.send({ t: 'hello', version: 1, code });
    expect(await tab.ended).toBe(WEB_CLOSE_REFUSED);
  });

  it.for([
    ['nothing', { t: 'hello', version: 1 }],
    ['a wrong code', { t: 'hello', version: 1, code: 'A'.repeat(43) }],
    ['a wrong token', { t: 'hello', version: 1, token: 'A'.repeat(43) }],
    ['an empty code', { t: 'hello', version: 1, code: '', token: '' }],
    ['a code that is no text', { t: 'hello', version: 1, code: ['x'] }],
    ['another version', { t: 'hello', version: 2, code: 'CODE' }],
    ['a command instead', { t: 'command', id: 0, command: { type: 'quit' } }],
    ['garbage', '{"t":"hello"'],
    ['null', 'null'],
  ] as const)('with %s is refused and leaves no trace', async ([, message]) => {
    const tab = ui.tab();
    await tab.opened;
    tab.send(JSON.parse(JSON.stringify(message).replace('CODE', ui.newCode())));
    expect(await tab.ended).toBe(WEB_CLOSE_REFUSED);
    expect(tab.messages).toEqual([]);
    expect(ui.app.asked).toEqual([]);
    expect(ui.app.watchers).toBe(0);
    expect(ui.server.counters.refused).toBe(1);
  });

  it('that never comes ends the connection', async () => {
    const impatient = await Ui.start({ limits: { helloTimeoutMs: 50 } });
    expect(await impatient.tab().ended).toBe(WEB_CLOSE_REFUSED);
    await impatient.close();
  });

  it('is not taken from a binary frame', async () => {
    const tab = ui.tab();
    await tab.opened;
    tab.socket.send(Buffer.from(JSON.stringify({ t: 'hello', version: 1, code: ui.newCode() })), { binary: true });
    expect(await tab.ended).toBe(WEB_CLOSE_REFUSED);
  });
});

describe('a tab that was let in', () => {
  it('is answered the result of its command', async () => {
    ui.app.answer = async () => ({ link: 'warren://join' });
    const tab = await ui.admitted();
    tab.send({ t: 'command', id: 7, command: { type: 'invite' } });
    await until('an answer', () => tab.answers().length === 1);
    expect(tab.answers()).toEqual([{ t: 'answer', id: 7, answer: { ok: true, result: { link: 'warren://join' } } }]);
    expect(ui.app.asked).toEqual([{ type: 'invite' }]);
  });

  it('is answered a closed code', async () => {
    ui.app.answer = () => Promise.reject(new WarrenError('not-joined', 'nobody to tell'));
    const tab = await ui.admitted();
    tab.send({ t: 'command', id: 0, command: { type: 'chat', text: 'hi' } });
    expect(await tab.answerTo(0)).toEqual({ ok: false, code: 'not-joined', message: 'nobody to tell' });
  });

  it('never sees the inside of a failure', async () => {
    ui.app.answer = () => Promise.reject(new Error('secret at /home/ann/file.ts:3'));
    const tab = await ui.admitted();
    tab.send({ t: 'command', id: 0, command: { type: 'leave' } });
    expect(await tab.answerTo(0)).toEqual({ ok: false, code: 'internal' });
    expect(ui.logged.join()).toContain('secret');
  });

  it('is told what changes, and only that', async () => {
    const tab = await ui.admitted();
    ui.app.publish({ connection: { state: 'starting', room: 'friday' } });
    await until('a change', () => tab.changes().length === 2);
    expect(tab.changes()[1]).toEqual({ connection: { state: 'starting', room: 'friday' } });
  });

  it('is cut for a frame over 64 KiB', async () => {
    const tab = await ui.admitted();
    tab.send({ t: 'command', id: 0, command: { type: 'chat', text: 'x'.repeat(64 * 1024) } });
    expect(await tab.ended).toBe(1009);
    expect(ui.app.asked).toEqual([]);
  });

  it.for(['{"t":', 'null', '[]', '{"t":"hello","version":1}', '{"t":"state"}', '\u0000'])(
    'goes on after %j, which is counted',
    async (garbage) => {
      const tab = await ui.admitted();
      tab.send(garbage);
      tab.send({ t: 'command', id: 1, command: { type: 'leave' } });
      await until('an answer', () => tab.answers().length === 1);
      expect(tab.answers()[0]?.id).toBe(1);
      expect(ui.server.counters.malformed).toBe(1);
    },
  );

  it('is cut when it asks without end', async () => {
    ui.app.answer = () => new Promise(() => {});
    const tab = await ui.admitted();
    for (let id = 0; id < 33; id++) tab.send({ t: 'command', id, command: { type: 'diagnostics' } });
    expect(await tab.ended).toBe(1001);
    expect(ui.app.asked).toHaveLength(32);
  });

  it('that stops reading is later told the newest state, not every state between', async () => {
    const tab = await ui.admitted();
    tab.socket.pause();
    const chat = Array.from({ length: 100 }, (_, index) => ({
      id: index.toString(16).padStart(32, '0'),
      from: 'YWxpY2U=',
      nick: 'alice',
      text: 'x'.repeat(1_000),
      at: 0,
    }));
    const published = 400;
    for (let count = 1; count <= published; count++) {
      ui.app.publish({
        snapshot: snapshot({
          chat,
          settings: { portMapping: count % 2 === 0, hardNat: true, relayOnly: false, discovery: true },
        }),
      });
      ui.app.publish({ connection: { state: 'running', room: `room ${count}`, attached: false } });
      await new Promise((resolve) => setImmediate(resolve));
    }
    tab.socket.resume();
    await until('the last change', () => {
      const last = tab.changes().at(-1)?.connection;
      return last?.state === 'running' && last.room === `room ${published}`;
    });
    expect(tab.changes().length).toBeLessThan(published);
  });

  it('is no longer told anything once it has gone', async () => {
    const tab = await ui.admitted();
    expect(ui.app.watchers).toBe(1);
    tab.socket.close();
    await until('nobody watches', () => ui.app.watchers === 0);
  });
});

it('closes with its tabs, also with one that does not answer', async () => {
  const tab = await ui.admitted();
  const silent = await ui.admitted();
  silent.socket.pause();
  await ui.server.close();
  expect(await tab.ended).toBe(1001);
  expect(ui.app.watchers).toBe(0);
});
