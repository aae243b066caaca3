/** What the app does by itself while time passes. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WarrenError } from '../../../protocol/errors.ts';
import { otherEngine, TestApp } from './harness.ts';

let app: TestApp;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] });
  app = new TestApp();
});
afterEach(async () => {
  vi.useRealTimers();
  await app.close();
});

/** Lets everything happen that is due within this time. */
const pass = async (ms: number) => {
  await vi.advanceTimersByTimeAsync(ms);
  // Engines take turns of the real event loop to stop.
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
};

async function startsWithRejoin(): Promise<void> {
  app.start();
  await app.do({
    type: 'join',
    room: 'r',
    password: 'p',
    nick: 'ann',
    server: { kind: 'automatic' },
    create: false,
  });
  await pass(1);
  app.engine.joined();
  await app.do({ type: 'prefer', change: { rejoin: true } });
  await app.host.close();
  app.start();
  await pass(1);
}

describe('a start before the network is there', () => {
  it('is tried again until a server is', async () => {
    await startsWithRejoin();
    for (const attempt of [2, 3, 4]) {
      expect(app.engines).toHaveLength(attempt);
      app.engine.end('no-server');
      await pass(1);
      expect(app.state.connection).toMatchObject({ state: 'failed', code: 'no-server' });
      await pass(15_000);
    }
    app.engine.joined();
    expect(app.state.connection.state).toBe('running');
  });

  it('is left alone once the user has seen to it', async () => {
    await startsWithRejoin();
    app.engine.end('no-server');
    await pass(1);
    await app.do({ type: 'dismiss' });
    await pass(60_000);
    expect(app.engines).toHaveLength(2);
    expect(app.state.connection.state).toBe('idle');
  });

  it('is not tried again for another reason', async () => {
    await startsWithRejoin();
    app.engine.end('wrong-password');
    await pass(60_000);
    expect(app.engines).toHaveLength(2);
    expect(app.state.connection).toMatchObject({ state: 'failed', code: 'wrong-password' });
  });
});

describe('an engine that another process starts later', () => {
  it('is attached to while the app is idle', async () => {
    app.start();
    await pass(5_000);
    app.other = otherEngine();
    await pass(5_000);
    expect(app.state.connection).toMatchObject({ state: 'running', attached: true });
  });

  it('that cannot be spoken with is told to the log once', async () => {
    app.start();
    app.attachFailure = new WarrenError('unsupported', 'the engine speaks version 2');
    await pass(60_000);
    expect(app.state.connection).toEqual({ state: 'idle' });
    expect(app.logged).toEqual([expect.stringContaining('version 2')]);
  });
});
