import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { roomTopic } from '../../../engine/core/crypto/topic.ts';
import { DEFAULT_PREFERENCES, ROOMS_KEPT, saveAppFile } from '../../../engine/net/state/app-file.ts';
import { isSavedRoom } from '../../../engine/net/state/saved-room.ts';
import { loadSettings } from '../../../engine/net/state/stores.ts';
import { appState, type Preferences } from '../../../protocol/face.ts';
import type { FileTransfer } from '../../../protocol/files.ts';
import { until } from '../../until.ts';
import { joining, TestApp } from './harness.ts';

let app: TestApp;
beforeEach(() => {
  app = new TestApp();
});
afterEach(() => app.close());

describe('without a room', () => {
  it.each([
    { type: 'chat', text: 'hi' },
    { type: 'ping', peer: 'bob' },
    { type: 'block', peer: 'bob', on: true },
  ] as const)('$type is answered not-joined', async (command) => {
    app.start();
    await expect(app.do(command)).rejects.toMatchObject({ code: 'not-joined' });
  });

  it('a setting is kept for the next engine, and seen at once', async () => {
    app.start();
    await app.do({ type: 'set', setting: 'port-mapping', on: false });
    await app.do({ type: 'set', setting: 'hard-nat', on: false });
    expect(loadSettings(app.stateDir)).toMatchObject({ portMapping: false, hardNat: false });
    await expect.poll(() => app.changes.at(-1)?.snapshot?.settings.hardNat).toBe(false);
    expect(app.state.snapshot.settings).toEqual({
      portMapping: false,
      hardNat: false,
      relayOnly: false,
      discovery: true,
    });
  });

  it('the filter and a policy are kept for the next engine, and a policy that is wrong is not', async () => {
    app.start();
    await app.do({ type: 'filter', preset: 'closed' });
    await app.do({ type: 'policy', text: '{"rules": [{"action": "accept", "from": ["ann"], "to": ["games"]}]}' });
    expect(app.state.snapshot.filter).toMatchObject({ preset: 'closed', policy: { rules: 1, problem: null } });
    const wrong = app.do({ type: 'policy', text: '{"rules": 1}' });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('line 1') });
    expect(app.state.snapshot.filter?.policy?.rules).toBe(1);
    await app.do({ type: 'policy', text: null });
    expect(app.state.snapshot.filter).toEqual({ preset: 'closed', policy: null });
  });

  it('damaged settings do not keep the app from starting, but an engine', async () => {
    writeFileSync(join(app.stateDir, 'settings.json'), '{');
    app.start();
    expect(app.state.snapshot.state).toBe('off');
    await app.do(joining());
    expect((await app.reaches('failed')).connection).toMatchObject({ code: 'disk' });
  });
});

describe('with a room', () => {
  it('what is for the engine reaches it, and its answer comes back', async () => {
    app.start();
    const engine = await app.join();
    engine.answer = (command) => Promise.resolve({ asked: command.type });
    await expect(app.do({ type: 'ping', peer: 'bob' })).resolves.toEqual({ asked: 'ping' });
    await app.do({ type: 'chat', text: 'hi' });
    await app.do({ type: 'block', peer: 'bob', on: true });
    await app.do({ type: 'set', setting: 'hard-nat', on: false });
    expect(engine.asked).toEqual([
      { type: 'ping', peer: 'bob', timeoutMs: 2_000 },
      { type: 'chat', text: 'hi' },
      { type: 'block', peer: 'bob', on: true },
      { type: 'set', setting: 'hard-nat', on: false },
    ]);
  });

  it('that is joined cannot be forgotten; one that was left can, with its memory', async () => {
    app.start();
    await app.join();
    app.remember('Friday night');
    await expect(app.do({ type: 'forget', room: 'friday night' })).rejects.toMatchObject({ code: 'already-running' });
    expect(isSavedRoom(app.stateDir, 'Friday night')).toBe(true);
    // The engine writes a last time while it stops.
    app.engine.onStop = () => app.remember('Friday night');
    await app.do({ type: 'leave' });
    await app.reaches('stopping');
    await app.do({ type: 'forget', room: 'FRIDAY night' });
    expect(app.state.rooms).toEqual([]);
    expect(isSavedRoom(app.stateDir, 'Friday night')).toBe(false);
    expect(existsSync(join(app.stateDir, 'rooms', `${roomTopic('Friday night')}.json`))).toBe(false);
    await app.do(joining({ password: null }));
    await expect.poll(() => app.engines.length).toBe(2);
    expect(app.engine.options.password).toBeNull();
  });

  it('is not asked for with a URL that is none', async () => {
    app.start();
    const server = { kind: 'address' as const, urls: ['javascript:alert(1)'] };
    await expect(app.do(joining({ server }))).rejects.toMatchObject({ code: 'invalid' });
    expect(app.state.connection).toEqual({ state: 'idle' });
  });
});

describe('what only a shell can do', () => {
  it('is done by the shell that can', async () => {
    const done: unknown[] = [];
    app.start({
      shell: {
        window: (mode) => done.push(mode),
        quit: () => done.push('quit'),
        autostart: (on) => done.push(['autostart', on]),
      },
    });
    await app.do({ type: 'window', mode: 'mini' });
    await app.do({ type: 'prefer', change: { autostart: true } });
    await app.do({ type: 'prefer', change: { autostart: true, theme: 'dark' } });
    await app.do({ type: 'quit' });
    expect(done).toEqual(['mini', ['autostart', true], 'quit']);
  });

  it('shows a file that has arrived in its folder, and no other', async () => {
    const shown: string[] = [];
    app.start({ shell: { showFile: (path) => shown.push(path) } });
    const engine = await app.join();
    const file = (id: string, change: Partial<FileTransfer>): FileTransfer => ({
      id: id.repeat(32),
      direction: 'in',
      peer: 'key',
      nick: 'bob',
      name: 'map.zip',
      size: 5,
      done: 5,
      state: 'done',
      problem: null,
      path: `/home/ann/Downloads/map-${id}.zip`,
      ...change,
    });
    const others = [file('b', { state: 'running' }), file('c', { direction: 'out' }), file('d', { path: null })];
    engine.joined({ files: [file('a', {}), ...others] });
    await until('the files', () => app.state.snapshot.files?.length === 4);
    await app.do({ type: 'show-file', id: 'a'.repeat(32) });
    for (const id of ['b', 'c', 'd', 'e']) {
      const asked = app.do({ type: 'show-file', id: id.repeat(32) });
      await expect(asked).rejects.toMatchObject({ code: 'invalid' });
    }
    expect(shown).toEqual(['/home/ann/Downloads/map-a.zip']);
  });

  it('is unsupported elsewhere, and changes nothing', async () => {
    app.start();
    await expect(app.do({ type: 'window', mode: 'mini' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(app.do({ type: 'quit' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(app.do({ type: 'prefer', change: { autostart: true } })).rejects.toMatchObject({
      code: 'unsupported',
    });
    expect(app.state.preferences.autostart).toBe(false);
  });
});

describe('preferences', () => {
  it('are kept for the next start, in a file for this user only', async () => {
    app.start();
    await app.do({ type: 'prefer', change: { language: 'zh-CN', theme: 'dark', nick: 'zoe', notifications: false } });
    await app.host.close();
    expect(statSync(join(app.stateDir, 'app.json')).mode & 0o777).toBe(0o600);
    app.start();
    expect(app.state.preferences).toEqual({
      language: 'zh-CN',
      theme: 'dark',
      nick: 'zoe',
      notifications: false,
      autostart: false,
      rejoin: false,
    });
  });

  it('that are undefined stay as they are', async () => {
    app.start();
    await app.do({ type: 'prefer', change: { theme: undefined, nick: 'zoe' } as Partial<Preferences> });
    expect(appState.safeParse(app.state).success).toBe(true);
    expect(app.state.preferences).toMatchObject({ theme: 'system', nick: 'zoe' });
  });

  it('that cannot be written are answered `disk`, and are not taken on', async () => {
    app.start();
    const file = join(app.stateDir, 'app.json');
    saveAppFile(app.stateDir, { preferences: app.state.preferences, rooms: [] });
    const before = readFileSync(file, 'utf8');
    // A file is no directory, for root neither.
    const blocked = new TestApp(join(file, 'below')).start();
    await expect(blocked.do({ type: 'prefer', change: { nick: 'zoe' } })).rejects.toMatchObject({ code: 'disk' });
    expect(blocked.state.preferences.nick).toBe('');
    await blocked.host.close();
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe('two apps on one state directory', () => {
  it('do not take from each other what they remember', async () => {
    app.start();
    const second = new TestApp(app.stateDir).start();
    await app.join();
    await second.do({ type: 'prefer', change: { theme: 'dark' } });
    await app.do({ type: 'prefer', change: { language: 'en' } });
    expect(second.state.rooms).toHaveLength(1);
    expect(app.state.preferences).toMatchObject({ theme: 'dark', language: 'en', nick: 'ann' });
    await second.host.close();
  });
});

describe('what was kept', () => {
  it.each(['', '{', 'null', '[]', '{"preferences":[],"rooms":{}}'])(
    '%j: all defaults, and a line in the log',
    (text) => {
      writeFileSync(join(app.stateDir, 'app.json'), text);
      app.start();
      expect(app.state.preferences.theme).toBe('system');
      expect(app.state.rooms).toEqual([]);
      expect(app.logged).toEqual([expect.stringContaining('damaged')]);
    },
  );

  it('damaged in parts: what can be understood stays', () => {
    const good = { name: 'good', nick: 'ann', server: { kind: 'host' }, lastUsed: 5 };
    const content = {
      preferences: { theme: 'dark', language: 'klingon', nick: 'ann', unknown: 1 },
      rooms: [{ name: 'bad' }, good, 7],
    };
    writeFileSync(join(app.stateDir, 'app.json'), JSON.stringify(content));
    app.start();
    expect(app.state.preferences).toMatchObject({ theme: 'dark', language: 'auto', nick: 'ann', notifications: true });
    expect(app.state.rooms).toEqual([good]);
    expect(app.logged).toEqual([expect.stringContaining('damaged')]);
  });

  it('is bounded: of many rooms the newest', () => {
    const rooms = Array.from({ length: ROOMS_KEPT + 10 }, (_, index) => ({
      name: `room ${index}`,
      nick: 'ann',
      server: { kind: 'automatic' as const },
      lastUsed: index,
    }));
    saveAppFile(app.stateDir, { preferences: DEFAULT_PREFERENCES, rooms });
    app.start();
    expect(app.state.rooms).toHaveLength(ROOMS_KEPT);
    expect(app.state.rooms[0]?.name).toBe(`room ${ROOMS_KEPT + 9}`);
    expect(app.logged).toEqual([]);
  });
});
