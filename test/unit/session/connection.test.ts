import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ErrorCode, WarrenError } from '../../../protocol/errors.ts';
import { appState } from '../../../protocol/face.ts';
import { until } from '../../until.ts';
import { joining, otherEngine, TestApp } from './harness.ts';

let app: TestApp;
beforeEach(() => {
  app = new TestApp();
});
afterEach(() => app.close());

describe('joining', () => {
  it('goes from idle over starting to running, and remembers the room only then', async () => {
    app.start();
    expect(app.state.connection).toEqual({ state: 'idle' });
    await app.do(joining());
    await app.reaches('starting');
    expect(app.state.connection).toEqual({ state: 'starting', room: 'Friday night' });
    await until('an engine', () => app.engines.length === 1);
    expect(app.state.rooms).toEqual([]);
    app.engine.joined();
    const state = await app.reaches('running');
    expect(state.connection).toEqual({ state: 'running', room: 'Friday night', attached: false });
    expect(state.snapshot.state).toBe('joined');
    expect(state.rooms).toMatchObject([{ name: 'Friday night', nick: 'ann', server: { kind: 'address' } }]);
    expect(state.preferences.nick).toBe('ann');
    expect(appState.safeParse(state).success).toBe(true);
  });

  it('stays running while the engine reconnects', async () => {
    app.start();
    const engine = await app.join();
    engine.joined({ state: 'reconnecting' });
    expect(app.state.connection.state).toBe('running');
    expect(app.state.snapshot.state).toBe('reconnecting');
  });

  it('gives the engine what was asked, and the settings of this machine', async () => {
    app.start();
    await app.do({ type: 'set', setting: 'hard-nat', on: false });
    const engine = await app.join({ create: true });
    expect(engine.options).toMatchObject({
      room: 'Friday night',
      password: 'correct horse',
      nick: 'ann',
      servers: ['ws://198.51.100.10:7868'],
      create: true,
      portMapping: true,
      hardNat: false,
      tun: false,
    });
  });

  it('leaves the present room first', async () => {
    app.start();
    const first = await app.join();
    const second = await app.join({ room: 'Saturday' });
    expect(first.stopped).toBe(true);
    expect(second.stopped).toBe(false);
    expect(app.state.connection).toMatchObject({ state: 'running', room: 'Saturday' });
    expect(app.state.rooms.map(({ name }) => name)).toEqual(['Saturday', 'Friday night']);
    expect(app.claimed).toBe(1);
  });

  it('of the same room written otherwise keeps one entry', async () => {
    app.start();
    await app.join();
    await app.join({ room: ' friday  NIGHT', nick: 'anna' });
    expect(app.state.rooms).toMatchObject([{ name: ' friday  NIGHT', nick: 'anna' }]);
  });

  it('with many wishes at once ends in the last one', async () => {
    app.start();
    await Promise.all(['a', 'b', 'c'].map((room) => app.do(joining({ room }))));
    await until('the last engine', () => app.engines.at(-1)?.options.room === 'c');
    app.engine.joined();
    await app.reaches('running');
    expect(app.state.connection).toMatchObject({ room: 'c' });
    expect(app.engines.filter(({ stopped }) => !stopped)).toHaveLength(1);
  });

  it.each<ErrorCode>(['wrong-password', 'no-server', 'room-full', 'invalid'])(
    'that the engine ends with %s has failed so, is not remembered, and its place is free',
    async (code) => {
      app.start();
      await app.do(joining());
      await until('an engine', () => app.engines.length === 1);
      app.engine.end(code);
      const { connection, snapshot, rooms } = await app.reaches('failed');
      expect(connection).toEqual({ state: 'failed', room: 'Friday night', code, at: expect.any(Number) });
      expect(snapshot.state).toBe('off');
      expect(rooms).toEqual([]);
      await until('a free place', () => app.claimed === 0);
      await app.join();
    },
  );

  it.each<ErrorCode>(['no-rights', 'name-taken', 'port-taken', 'disk', 'unsupported'])(
    'that cannot start for %s has failed so, and its place is free',
    async (code) => {
      app.start();
      app.startFailure = new WarrenError(code, 'why');
      await app.do(joining());
      const { connection } = await app.reaches('failed');
      expect(connection).toMatchObject({ code });
      expect(app.claimed).toBe(0);
      expect(app.logged.join('\n')).toContain(`${code}): why`);
    },
  );

  it('fails with `internal` for a fault of ours, and tells the log', async () => {
    app.start({ loadNative: () => Promise.reject(new TypeError('oops')) });
    await app.do(joining());
    expect((await app.reaches('failed')).connection).toMatchObject({ code: 'internal' });
    expect(app.logged.join('\n')).toContain('oops');
  });

  it('fails with `no-server` where this build has none of its own', async () => {
    app.start({ about: { ...app_about, servers: [] } });
    await app.do(joining({ server: { kind: 'automatic' } }));
    expect((await app.reaches('failed')).connection).toMatchObject({ code: 'no-server' });
  });

  it('uses the built-in servers where they are to be chosen', async () => {
    app.start();
    const engine = await app.join({ server: { kind: 'automatic' } });
    expect(engine.options.servers).toEqual(['wss://built-in.example']);
  });

  it('a failure goes with `dismiss`', async () => {
    app.start();
    app.startFailure = new WarrenError('disk', 'full');
    await app.do(joining());
    await app.reaches('failed');
    await app.do({ type: 'dismiss' });
    expect(app.state.connection).toEqual({ state: 'idle' });
  });
});

const app_about = { version: '1', platform: 'linux', shell: 'browser' as const, locale: 'en', servers: [] as string[] };

describe('leaving', () => {
  it('stops the engine and ends idle, with nothing left of the room in the state', async () => {
    app.start();
    const engine = await app.join();
    await app.do({ type: 'leave' });
    const { snapshot } = await app.reaches('idle');
    expect(engine.stopped).toBe(true);
    expect(snapshot).toMatchObject({ state: 'off', room: null, self: null, peers: [] });
    expect(app.claimed).toBe(0);
    const states = app.changes.flatMap(({ connection }) => connection?.state ?? []);
    expect(states).toEqual(['idle', 'starting', 'running', 'stopping', 'idle']);
  });

  it('when there is nothing to leave is fine', async () => {
    app.start();
    await app.do({ type: 'leave' });
    await app.reaches('idle');
  });

  it('in the middle of joining ends that engine', async () => {
    app.start();
    await app.do(joining());
    await app.do({ type: 'leave' });
    await until('an engine that was stopped', () => app.engines.length === 1 && app.engine.stopped);
    await app.reaches('idle');
  });

  it('by an engine that ended on another one’s word is idle, not failed', async () => {
    app.start();
    const engine = await app.join();
    engine.end(null);
    await app.reaches('idle');
    await until('a free place', () => app.claimed === 0);
  });
});

describe('the toggle', () => {
  it('joins the room used last, and leaves it', async () => {
    app.start();
    await expect(app.do({ type: 'toggle' })).rejects.toMatchObject({ code: 'not-joined' });
    await app.join();
    await app.do({ type: 'toggle' });
    await app.reaches('idle');
    await app.do({ type: 'toggle' });
    await until('a second engine', () => app.engines.length === 2);
    expect(app.engine.options).toMatchObject({ room: 'Friday night', password: 'correct horse', create: false });
  });
});

describe('a next start of the app', () => {
  it('knows the rooms, not the passwords', async () => {
    app.start();
    await app.join();
    await app.host.close();
    app.start();
    expect(app.state.rooms).toMatchObject([{ name: 'Friday night' }]);
    await app.do({ type: 'toggle' });
    await until('an engine', () => app.engines.length === 2);
    expect(app.engine.options.password).toBeNull();
  });

  it('joins the last room where that is preferred', async () => {
    app.start();
    await app.join();
    await app.do({ type: 'prefer', change: { rejoin: true } });
    await app.host.close();
    app.start();
    await until('an engine', () => app.engines.length === 2);
    expect(app.engine.options).toMatchObject({ room: 'Friday night', password: null });
  });

  it('writes no password anywhere', async () => {
    app.start();
    await app.join({ password: 'very-secret-indeed' });
    await app.do({ type: 'set', setting: 'hard-nat', on: false });
    await app.host.close();
    const files = readdirSync(app.stateDir, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    expect(files.length).toBeGreaterThan(0);
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name), 'utf8')).not.toContain('very-secret');
    }
  });
});

describe('an engine of another process', () => {
  it('is attached to at the start, asked, and let go on at the end', async () => {
    const other = otherEngine();
    other.engine.joined();
    app.other = other;
    app.start();
    const { connection, snapshot } = await app.reaches('running');
    expect(connection).toEqual({ state: 'running', room: 'Friday night', attached: true });
    expect(snapshot.state).toBe('joined');
    await app.do({ type: 'chat', text: 'hello' });
    await app.do({ type: 'set', setting: 'port-mapping', on: false });
    expect(other.engine.asked).toEqual([
      { type: 'chat', text: 'hello' },
      { type: 'set', setting: 'port-mapping', on: false },
    ]);
    await app.host.close();
    expect(other.closed).toBe(true);
    expect(other.engine.stopped).toBe(false);
    expect(app.engines).toEqual([]);
  });

  it('that ends leaves the app idle', async () => {
    const other = otherEngine();
    app.other = other;
    app.start();
    await app.reaches('running');
    app.other = null;
    other.engine.end(null);
    expect((await app.reaches('idle')).snapshot.state).toBe('off');
  });

  it('is ended by `leave`, and before another room is joined', async () => {
    const other = otherEngine();
    app.other = other;
    app.start();
    await app.reaches('running');
    app.other = null;
    await app.join({ room: 'Saturday' });
    expect(other.engine.stopped).toBe(true);
  });

  it('is attached to when it was first after all', async () => {
    app.start();
    await app.reaches('idle');
    const other = otherEngine();
    app.other = other;
    await app.do(joining({ room: 'Saturday' }));
    expect((await app.reaches('running')).connection).toMatchObject({ room: 'Friday night', attached: true });
  });
});

describe('closing', () => {
  it('ends an own engine, can be done twice, and answers nothing afterwards', async () => {
    app.start();
    const engine = await app.join();
    await Promise.all([app.host.close(), app.host.close()]);
    expect(engine.stopped).toBe(true);
    expect(app.claimed).toBe(0);
    await expect(app.do({ type: 'leave' })).rejects.toMatchObject({ code: 'not-running' });
    expect(existsSync(app.stateDir)).toBe(true);
  });
});
