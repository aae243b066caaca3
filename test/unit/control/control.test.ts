import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ControlClient, connectControl } from '../../../engine/net/control/client.ts';
import { LineReader } from '../../../engine/net/control/lines.ts';
import { controlPath } from '../../../engine/net/control/path.ts';
import { CONTROL_LIMITS, type ControlServer, startControlServer } from '../../../engine/net/control/server.ts';
import type { Snapshot } from '../../../protocol/app.ts';
import { WarrenError } from '../../../protocol/errors.ts';
import { peer, snapshot } from '../cli/snapshots.ts';
import { EngineDouble } from './engine-double.ts';

let directory: string;
let path: string;
let engine: EngineDouble;
let server: ControlServer;
const clients: ControlClient[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'warren-control-'));
  path = join(directory, 'control');
  engine = new EngineDouble(snapshot());
  server = await startControlServer({ path, directory, temporary: false }, engine);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connected(): Promise<ControlClient> {
  const client = await connectControl(path);
  clients.push(client);
  return client;
}

/** A client that says what the test wants; `lines` is what it heard. */
function raw(): { socket: Socket; lines: unknown[]; ended: Promise<void> } {
  const socket = createConnection(path);
  sockets.push(socket);
  const lines: unknown[] = [];
  const reader = new LineReader(10_000_000);
  socket.on('data', (chunk) => {
    for (const line of reader.feed(chunk) ?? []) lines.push(JSON.parse(line));
  });
  socket.on('error', () => {});
  return { socket, lines, ended: new Promise((resolve) => socket.once('close', () => resolve())) };
}

describe('the control socket', () => {
  it('is for this user only and speaks first, with its version', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const { lines } = raw();
    await vi.waitFor(() => expect(lines).toEqual([{ warren: 1 }]));
  });

  it('answers a command with its result, or with the code and words of its error', async () => {
    const client = await connected();
    engine.answer = (command) =>
      command.type === 'invite'
        ? Promise.resolve({ link: 'warren://join#' })
        : Promise.reject(new WarrenError('no-such-member', 'nobody is called x'));
    await expect(client.request({ type: 'invite' })).resolves.toEqual({ link: 'warren://join#' });
    await expect(client.request({ type: 'block', peer: 'x', on: true })).rejects.toMatchObject({
      code: 'no-such-member',
      message: 'nobody is called x',
    });
  });

  it('tells no details of an error that is not one of ours', async () => {
    const client = await connected();
    engine.answer = () => Promise.reject(new TypeError('secret /path'));
    await expect(client.request({ type: 'status' })).rejects.toMatchObject({ code: 'internal', message: 'internal' });
  });

  it('answers each of many commands to the one who asked, in whatever order they end', async () => {
    const client = await connected();
    const open: (() => void)[] = [];
    engine.answer = (command) =>
      new Promise((resolve) => {
        open.push(() => resolve(command.type === 'ping' ? command.peer : null));
      });
    const answers = Promise.all(
      ['a', 'b', 'c'].map((name) => client.request({ type: 'ping', peer: name, timeoutMs: 1_000 })),
    );
    await vi.waitFor(() => expect(open).toHaveLength(3));
    for (const settle of open.toReversed()) settle();
    await expect(answers).resolves.toEqual(['a', 'b', 'c']);
  });

  it('sends every watcher the present snapshot and each change, and forgets those who left', async () => {
    const seen: Snapshot['state'][][] = [];
    const all = await Promise.all(Array.from({ length: 20 }, connected));
    for (const client of all) {
      const states: Snapshot['state'][] = [];
      seen.push(states);
      await client.watch((found) => states.push(found.state));
    }
    engine.publish(snapshot({ state: 'reconnecting' }));
    await vi.waitFor(() => {
      for (const states of seen) expect(states).toEqual(['joined', 'reconnecting']);
    });
    expect(engine.watchers).toBe(20);
    for (const client of all) client.close();
    await vi.waitFor(() => expect(engine.watchers).toBe(0));
  });

  it('drops what a slow watcher missed and sends it the newest, without a queue that grows', async () => {
    const { socket, lines } = raw();
    socket.write('{"id":1,"command":{"type":"watch"}}\n');
    await vi.waitFor(() => expect(engine.watchers).toBe(1));
    socket.pause();
    const many = Array.from({ length: 60 }, (_, index) => peer({ publicKey: `key ${index}` }));
    const rounds = 400;
    for (let round = 1; round <= rounds; round++) {
      engine.publish(snapshot({ peers: many, room: { name: `round ${round}`, server: 's' } }));
      await new Promise(setImmediate);
    }
    socket.resume();
    const last = { snapshot: { room: { name: `round ${rounds}` } } };
    await vi.waitFor(() => expect(lines.at(-1)).toMatchObject(last));
    expect(lines.length).toBeLessThan(rounds / 2);
  });

  it('ends what is open when the engine ends', async () => {
    const client = await connected();
    engine.answer = () => new Promise(() => {});
    const pending = client.request({ type: 'status' });
    const failed = expect(pending).rejects.toMatchObject({ code: 'not-running' });
    await vi.waitFor(() => expect(engine.asked).toHaveLength(1));
    await server.close();
    await client.closed;
    await failed;
    await expect(connectControl(path)).rejects.toMatchObject({ code: 'not-running' });
  });
});

describe('a hostile client', () => {
  it.each([
    ['no JSON', 'hello', null],
    ['an unknown command', '{"id":1,"command":{"type":"explode"}}', 1],
    ['no id', '{"command":{"type":"status"}}', null],
    ['a negative id', '{"id":-1,"command":{"type":"status"}}', null],
    ['a name that is too long', `{"id":2,"command":{"type":"block","on":true,"peer":"${'x'.repeat(129)}"}}`, 2],
    ['null', 'null', null],
    ['an array', '[1]', null],
  ])('that says %s is answered `invalid`, and may go on', async (_, line, id) => {
    const { socket, lines } = raw();
    socket.write(`${line}\n{"id":9,"command":{"type":"status"}}\n`);
    await vi.waitFor(() =>
      expect(lines).toEqual([{ warren: 1 }, { id, ok: false, code: 'invalid' }, { id: 9, ok: true, result: null }]),
    );
    expect(engine.asked).toEqual([{ type: 'status' }]);
  });

  it('whose line never ends is cut', async () => {
    const { socket, lines, ended } = raw();
    socket.write('x'.repeat(CONTROL_LIMITS.requestBytes + 1));
    await ended;
    expect(lines).toEqual([{ warren: 1 }, { id: null, ok: false, code: 'invalid' }]);
  });

  it('that asks without waiting is refused beyond its share', async () => {
    engine.answer = () => new Promise(() => {});
    const { socket, lines } = raw();
    for (let id = 0; id < CONTROL_LIMITS.pending + 5; id++) socket.write(`{"id":${id},"command":{"type":"status"}}\n`);
    await vi.waitFor(() => expect(lines).toHaveLength(6));
    expect(engine.asked).toHaveLength(CONTROL_LIMITS.pending);
    expect(lines[1]).toEqual({ id: CONTROL_LIMITS.pending, ok: false, code: 'invalid' });
  });

  it('with any bytes at all does not end the server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { socket, ended } = raw();
        socket.end(Buffer.from(bytes));
        socket.resume();
        await ended;
      }),
      { numRuns: 50 },
    );
    const client = await connected();
    await expect(client.request({ type: 'status' })).resolves.toBeNull();
  });
});

/** Something else behind the socket. */
async function impostor(says: string): Promise<void> {
  await server.close();
  const other = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(says);
  });
  await new Promise<void>((resolve) => other.listen(path, resolve));
  server = {
    close: () =>
      new Promise((resolve) => {
        other.close(() => resolve());
      }),
  };
}

describe('a client of the control socket', () => {
  it('refuses another version and everything that is no greeting', async () => {
    await impostor('{"warren":2}\n');
    await expect(connectControl(path)).rejects.toMatchObject({ code: 'unsupported' });
    await impostor('HTTP/1.1 200 OK\r\n');
    await expect(connectControl(path)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('hangs up on answers that are none', async () => {
    await impostor('{"warren":1}\n{"snapshot":{"version":1}}\n');
    const client = await connected();
    await client.closed;
  });

  it('finds nobody behind a socket that a killed engine left, nor where there is none', async () => {
    await server.close();
    writeFileSync(path, '');
    await expect(connectControl(path)).rejects.toMatchObject({ code: 'not-running' });
    await expect(connectControl(join(directory, 'none'))).rejects.toMatchObject({ code: 'not-running' });
    server = await startControlServer({ path, directory, temporary: false }, engine);
    await expect(connected()).resolves.toBeDefined();
  });
});

describe('the path of the control socket', () => {
  it('is in the state directory', () => {
    expect(controlPath('/s/warren', {}, 'linux')).toEqual({
      path: '/s/warren/control',
      directory: '/s/warren',
      temporary: false,
    });
  });

  it('moves to a short directory of its own where that would be too long, the same each time', () => {
    const long = `/home/${'x'.repeat(120)}`;
    const runtime = controlPath(long, { XDG_RUNTIME_DIR: '/run/user/7' }, 'linux');
    expect(runtime.path).toMatch(/^\/run\/user\/7\/warren\/[0-9a-f]{16}\/control$/);
    expect(controlPath(long, { XDG_RUNTIME_DIR: '/run/user/7' }, 'linux')).toEqual(runtime);
    expect(controlPath(`${long}y`, { XDG_RUNTIME_DIR: '/run/user/7' }, 'linux')).not.toEqual(runtime);
    expect(controlPath(long, {}, 'linux').path).toMatch(/^\/tmp\/warren-[0-9]+-[0-9a-f]{16}\/control$/);
    expect(controlPath(long, { XDG_RUNTIME_DIR: 'relative' }, 'linux').path).toMatch(/^\/tmp\//);
  });
});

describe('a control socket beside a long state directory', () => {
  it('works, is private, and leaves no directory behind', async () => {
    const where = controlPath(join(directory, 'x'.repeat(120)), { XDG_RUNTIME_DIR: directory }, 'linux');
    const far = await startControlServer(where, engine);
    expect(statSync(where.directory).mode & 0o777).toBe(0o700);
    const client = await connectControl(where.path);
    await expect(client.request({ type: 'status' })).resolves.toBeNull();
    client.close();
    await far.close();
    expect(existsSync(where.directory)).toBe(false);
  });
});

describe('lines', () => {
  it('come out whole, however they are cut', () => {
    const lines = fc.array(fc.string({ maxLength: 20 }).filter((line) => !line.includes('\n')));
    fc.assert(
      fc.property(lines, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.from(sent.map((line) => `${line}\n`).join(''));
        const reader = new LineReader(100);
        const heard: string[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          heard.push(...(reader.feed(bytes.subarray(at, at + size)) ?? []));
          at += size;
        }
        expect(heard).toEqual(sent.map((line) => Buffer.from(line).toString()));
      }),
    );
  });
});
