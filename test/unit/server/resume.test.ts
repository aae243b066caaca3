import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Client } from './client.ts';
import { OTHER_TOPIC } from './client.ts';
import { connect, pair, running } from './running.ts';
import { until } from './until.ts';

const token = (client: Client) => client.welcome?.resume ?? '';

describe('resuming', () => {
  test('takes the place of the half-open connection: same member, same permissions, nobody told that it left', async () => {
    const server = await running();
    const session = randomBytes(16).toString('hex');
    const old = await connect(server).joined({ session });
    const peer = await connect(server).joined();
    peer.say({ t: 'allow', member: old.id });
    old.say({ t: 'allow', member: peer.id });
    await Promise.all([peer.settled(), old.settled()]);

    const again = await connect(server).joined({ session, resume: token(old) });
    expect(again.id).toBe(old.id);
    expect(again.welcome?.members.map(({ member }) => member)).toEqual([peer.id]);
    await until(() => old.closed !== null);
    again.relay(peer.id, 'here again');
    peer.relay(again.id, 'so I see');
    await until(() => peer.frames.length === 1 && again.frames.length === 1);
    expect([peer.got('left'), peer.got('joined')]).toEqual([[], []]);
    expect([server.members, server.connections, server.counters.resumed]).toEqual([2, 2, 1]);
  });

  test('with a new session tells the others of it', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    const session = randomBytes(16).toString('hex');
    await connect(server).joined({ session, resume: token(a) });
    await until(() => b.got('joined').length === 1);
    expect(b.got('joined')[0]).toMatchObject({ member: a.id, session });
  });

  test('works in a full room and at the limit of rooms', async () => {
    const server = await running({ limits: { membersPerRoom: 2, roomsPerSource: 1 } });
    const [a] = await pair(server);
    const again = await connect(server).joined({ resume: token(a) });
    expect(again.id).toBe(a.id);
    again.socket.close();
    await until(() => server.members === 1);
  });

  test('a token is good once', async () => {
    const server = await running();
    const [a] = await pair(server);
    const first = await connect(server).joined({ resume: token(a) });
    const second = await connect(server).joined({ resume: token(a) });
    expect(first.id).toBe(a.id);
    expect(second.id).not.toBe(a.id);
    expect(first.closed).toBeNull();
  });

  test('a token of another room, of one who left, or a guess, makes a new member', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    const elsewhere = await connect(server).joined({ topic: OTHER_TOPIC, resume: token(a) });
    expect(elsewhere.welcome?.members).toEqual([]);
    expect(a.closed).toBeNull();
    b.socket.close();
    await until(() => a.got('left').length === 1);
    const late = await connect(server).joined({ resume: token(b) });
    const guess = await connect(server).joined({ resume: '00'.repeat(16) });
    expect(new Set([a.id, b.id, elsewhere.id, late.id, guess.id]).size).toBe(5);
    expect(server.counters.resumed).toBe(0);
  });
});
