import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WarrenError } from '../../../protocol/errors.ts';
import { until } from '../../until.ts';
import { joining, TestApp } from './harness.ts';

let app: TestApp;
beforeEach(() => {
  app = new TestApp().start();
});
afterEach(() => app.close());

const HOST = { kind: 'host' } as const;

describe('a room that this PC hosts', () => {
  it('has a server for as long as it is joined', async () => {
    await app.join({ server: HOST });
    expect(app.state.hosting).toEqual({ state: 'on', urls: ['ws://192.168.1.5:7868'], reachable: null });
    expect(app.state.rooms).toMatchObject([{ server: HOST }]);
    await app.do({ type: 'leave' });
    await app.reaches('idle');
    expect(app.servers[0]?.closed).toBe(true);
    expect(app.state.hosting).toEqual({ state: 'off' });
    expect(app.changes.flatMap(({ hosting }) => hosting?.state ?? [])).toEqual(['off', 'starting', 'on', 'off']);
  });

  it('tells when its addresses change, and no more after it ended', async () => {
    await app.join({ server: HOST });
    app.servers[0]?.change(['ws://203.0.113.7:7868'], true);
    expect(app.state.hosting).toEqual({ state: 'on', urls: ['ws://203.0.113.7:7868'], reachable: true });
    await app.do({ type: 'leave' });
    await app.reaches('idle');
    app.servers[0]?.change(['ws://203.0.113.8:7868'], true);
    expect(app.state.hosting).toEqual({ state: 'off' });
  });

  it('keeps its server when another room of this PC follows, and loses it to a room elsewhere', async () => {
    await app.join({ server: HOST });
    await app.join({ room: 'Saturday', server: HOST });
    expect(app.servers).toHaveLength(1);
    expect(app.servers[0]?.closed).toBe(false);
    await app.join({ room: 'Sunday' });
    expect(app.servers[0]?.closed).toBe(true);
    expect(app.state.hosting).toEqual({ state: 'off' });
  });

  it('has failed when its server cannot start, until that is dismissed', async () => {
    app.serverFailure = new WarrenError('port-taken', 'no port');
    await app.do(joining({ server: HOST }));
    expect((await app.reaches('failed')).connection).toMatchObject({ code: 'port-taken' });
    expect(app.state.hosting).toEqual({ state: 'failed', code: 'port-taken' });
    expect(app.claimed).toBe(0);
    await app.do({ type: 'dismiss' });
    expect(app.state.hosting).toEqual({ state: 'off' });
    app.serverFailure = null;
    await app.join({ server: HOST });
  });

  it('takes its server along when its engine ends', async () => {
    const engine = await app.join({ server: HOST });
    engine.end('disk');
    await app.reaches('failed');
    await until('the server closed', () => app.servers[0]?.closed === true);
  });

  it('takes its server along when the app closes', async () => {
    await app.join({ server: HOST });
    await app.host.close();
    expect(app.servers[0]?.closed).toBe(true);
  });
});
