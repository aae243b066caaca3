/** `warren ui` as a process: what it prints, and how it ends. It joins no room here, so it sends nothing anywhere. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type WebServerMessage, webServerMessage } from '../../protocol/face.ts';
import { Warren } from '../unit/cli/launcher.ts';
import { until } from '../until.ts';
import { buildRenderer } from './renderer-page.ts';

/** The command loads everything it needs, beside whatever else this machine does. */
const START_TIMEOUT_MS = 30_000;

let directory: string;
let started: Warren[];
beforeAll(buildRenderer);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-ui-'));
  started = [];
});
afterEach(async () => {
  for (const command of started) command.child.kill('SIGKILL');
  await Promise.all(started.map((command) => command.finished));
  rmSync(directory, { recursive: true });
});

function start(...words: string[]): Warren {
  const command = new Warren(['ui', '--state-dir', directory, ...words]);
  started.push(command);
  return command;
}

async function address(command: Warren): Promise<URL> {
  await until('an address', () => command.lines.length > 0, START_TIMEOUT_MS);
  return new URL((JSON.parse(command.lines[0] as string) as { ui: { url: string } }).ui.url);
}

/** A tab of the page, let in with the address. */
async function tab(url: URL) {
  const socket = new WebSocket(`ws://${url.host}/face`, { origin: url.origin });
  const messages: WebServerMessage[] = [];
  socket.on('message', (data) => {
    if (Buffer.isBuffer(data)) messages.push(webServerMessage.parse(JSON.parse(data.toString())));
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ t: 'hello', version: 1, code: url.hash.slice('#code='.length) }));
  await until('the state', () => messages.some(({ t }) => t === 'state'));
  return {
    state: () => messages.flatMap((message) => (message.t === 'state' ? [message.change] : [])),
    async command(command: unknown) {
      const id = messages.length;
      socket.send(JSON.stringify({ t: 'command', id, command }));
      const isAnswer = (message: WebServerMessage) => message.t === 'answer' && message.id === id;
      await until('an answer', () => messages.some(isAnswer));
      const found = messages.find(isAnswer);
      return found?.t === 'answer' ? found.answer : null;
    },
  };
}

describe('warren ui', () => {
  it('prints an address of this machine alone, serves the app there, and ends at SIGTERM', async () => {
    const command = start('--json');
    const url = await address(command);
    expect([url.protocol, url.hostname, url.pathname]).toEqual(['http:', '127.0.0.1', '/']);
    const answer = await fetch(url.origin);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await answer.text()).toMatch(/^<!doctype html>/i);
    command.child.kill('SIGTERM');
    expect(await command.finished).toMatchObject({ code: 0, err: '' });
  });

  it('says the address to a person, and opens no browser where there is no display', async () => {
    const command = start('--no-open');
    await until('an address', () => command.lines.length > 0, START_TIMEOUT_MS);
    expect(command.lines[0]).toMatch(/^Open Warren in your browser: http:\/\/127\.0\.0\.1:\d+\/#code=[\w-]{43}$/);
    command.child.kill('SIGINT');
    expect((await command.finished).code).toBe(0);
  });

  it('takes the port that it is given', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const refused = await start('--port', String(port)).finished;
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('(port-taken)');
    await new Promise((resolve) => taken.close(resolve));
    expect((await address(start('--json', '--port', String(port)))).port).toBe(String(port));
  });

  it('runs an app without a window, whose quit ends the process', async () => {
    const command = start('--json', '--no-tun');
    const { state, command: ask } = await tab(await address(command));
    expect(state()[0]?.about).toMatchObject({ shell: 'browser', platform: process.platform, version: '0.1.0' });
    expect(state()[0]?.snapshot?.state).toBe('off');
    expect(await ask({ type: 'window', mode: 'mini' })).toMatchObject({ ok: false, code: 'unsupported' });
    expect(await ask({ type: 'prefer', change: { autostart: true } })).toMatchObject({
      ok: false,
      code: 'unsupported',
    });
    expect(await ask({ type: 'quit' })).toEqual({ ok: true, result: null });
    expect((await command.finished).code).toBe(0);
  });

  it('keeps what was set for the next start, and for the command', async () => {
    const first = start('--json');
    const { command: ask } = await tab(await address(first));
    expect(await ask({ type: 'set', setting: 'hard-nat', on: false })).toMatchObject({ ok: true });
    expect(await ask({ type: 'prefer', change: { nick: 'ann' } })).toMatchObject({ ok: true });
    expect(await ask({ type: 'quit' })).toMatchObject({ ok: true });
    await first.finished;
    const { state } = await tab(await address(start('--json')));
    expect(state()[0]).toMatchObject({ snapshot: { settings: { hardNat: false } }, preferences: { nick: 'ann' } });
    const status = new Warren(['status', '--json', '--state-dir', directory]);
    expect(JSON.parse((await status.finished).out)).toMatchObject({ settings: { hardNat: false } });
  });
});
