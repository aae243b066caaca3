import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WarrenError } from '../../../protocol/errors.ts';
import { decodeInvite, encodeInvite } from '../../../protocol/invite.ts';
import { until } from '../../until.ts';
import { joining, TestApp, type TestEngine } from './harness.ts';

const LINK = encodeInvite({ name: 'Their room', password: 'their secret', servers: ['wss://their.example'] });

let app: TestApp;
beforeEach(() => {
  app = new TestApp().start();
});
afterEach(() => app.close());

/** As the engine does. */
function answersInvites(engine: TestEngine): void {
  engine.answer = (command) => {
    const { room: name, password, servers } = engine.options;
    if (command.type !== 'invite') return Promise.resolve(null);
    if (password === null) return Promise.reject(new WarrenError('invalid', 'its password is not known here'));
    return Promise.resolve({ link: encodeInvite({ name, password, servers }) });
  };
}

describe('an invite that is opened', () => {
  it('shows where it leads and what it would leave, never its password', async () => {
    await app.do({ type: 'open-invite', link: ` ${LINK}\n` });
    expect(app.state.invitation).toEqual({ name: 'Their room', servers: ['wss://their.example'], leaving: null });
    await app.join();
    expect(app.state.invitation).toMatchObject({ leaving: 'Friday night' });
    expect(JSON.stringify(app.changes)).not.toContain('their secret');
    await app.do({ type: 'leave' });
    await app.reaches('idle');
    expect(app.state.invitation).toMatchObject({ leaving: null });
  });

  it('is joined by a yes, with the nickname that is given or was used last', async () => {
    await app.join();
    await app.do({ type: 'open-invite', link: LINK });
    await app.do({ type: 'answer-invite', accept: true });
    expect(app.state.invitation).toBeNull();
    await until('a second engine', () => app.engines.length === 2);
    expect(app.engine.options).toMatchObject({
      room: 'Their room',
      password: 'their secret',
      nick: 'ann',
      servers: ['wss://their.example'],
      create: false,
    });
  });

  it('waits on when there is no nickname yet', async () => {
    await app.do({ type: 'open-invite', link: LINK });
    await expect(app.do({ type: 'answer-invite', accept: true })).rejects.toMatchObject({ code: 'invalid' });
    expect(app.state.invitation).not.toBeNull();
    await app.do({ type: 'answer-invite', accept: true, nick: 'zoe' });
    await until('an engine', () => app.engines.length === 1);
    expect(app.engine.options.nick).toBe('zoe');
  });

  it('is gone after a no, and nothing was joined', async () => {
    await app.do({ type: 'open-invite', link: LINK });
    await app.do({ type: 'answer-invite', accept: false });
    expect(app.state.invitation).toBeNull();
    expect(app.engines).toEqual([]);
    await expect(app.do({ type: 'answer-invite', accept: true })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('to the room that we are in changes nothing', async () => {
    const engine = await app.join();
    const link = encodeInvite({ name: 'friday NIGHT', password: 'correct horse', servers: ['ws://other'] });
    await app.do({ type: 'open-invite', link });
    expect(app.state.invitation).toMatchObject({ leaving: null });
    await app.do({ type: 'answer-invite', accept: true });
    expect(app.state.invitation).toBeNull();
    expect(engine.stopped).toBe(false);
    expect(app.engines).toHaveLength(1);
  });

  it.each(['', 'https://example.org', 'warren://join#v=1', `${LINK}&x=1`, LINK.replace('v=1', 'v=2')])(
    'that is none (%j) is refused, and the one before it stays',
    async (link) => {
      await app.do({ type: 'open-invite', link: LINK });
      await expect(app.do({ type: 'open-invite', link })).rejects.toMatchObject({ code: 'invalid' });
      expect(app.state.invitation).toMatchObject({ name: 'Their room' });
    },
  );
});

describe('an invite that is made', () => {
  it('is the engine’s, with the servers of the room', async () => {
    await expect(app.do({ type: 'invite' })).rejects.toMatchObject({ code: 'not-joined' });
    answersInvites(await app.join());
    const { link } = (await app.do({ type: 'invite' })) as { link: string };
    expect(decodeInvite(link)).toEqual({
      ok: true,
      invite: { name: 'Friday night', password: 'correct horse', servers: ['ws://198.51.100.10:7868'] },
    });
  });

  it('can be made again after leaving and coming back: the typed password is still in memory', async () => {
    await app.join();
    await app.do({ type: 'toggle' });
    await app.reaches('idle');
    await app.join({ password: null });
    answersInvites(app.engine);
    await expect(app.do({ type: 'invite' })).resolves.toHaveProperty('link');
  });

  it('is refused where the room was joined by memory alone', async () => {
    answersInvites(await app.join({ password: null }));
    await expect(app.do({ type: 'invite' })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('with a password that was wrong is never kept', async () => {
    await app.do(joining({ password: 'wrong' }));
    await until('an engine', () => app.engines.length === 1);
    app.engine.end('wrong-password');
    await app.reaches('failed');
    await app.do(joining({ password: null }));
    await until('a second engine', () => app.engines.length === 2);
    expect(app.engine.options.password).toBeNull();
  });

  it('of a room that this PC hosts carries the addresses that friends reach, as they are now', async () => {
    answersInvites(await app.join({ server: { kind: 'host' } }));
    expect(app.engine.options.servers).toEqual(['ws://127.0.0.1:7868']);
    const carried = async () => {
      const decoded = decodeInvite(((await app.do({ type: 'invite' })) as { link: string }).link);
      return decoded.ok ? decoded.invite.servers : [];
    };
    expect(await carried()).toEqual(['ws://192.168.1.5:7868']);
    app.servers[0]?.change(['ws://203.0.113.7:7868', 'ws://192.168.1.5:7868'], true);
    expect(await carried()).toEqual(['ws://203.0.113.7:7868', 'ws://192.168.1.5:7868']);
    app.servers[0]?.change([], null);
    await expect(app.do({ type: 'invite' })).rejects.toMatchObject({ code: 'unreachable' });
  });
});
