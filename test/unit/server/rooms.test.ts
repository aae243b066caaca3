import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { connect, pair, running } from './running.ts';
import { OTHER_TOPIC } from './client.ts';
import { until } from './until.ts';

describe('joining', () => {
  test('the first member is welcomed to an empty room, with endpoint, STUN ports and limits', async () => {
    const server = await running();
    const member = await connect(server).joined();
    expect(member.welcome).toMatchObject({
      version: 1,
      members: [],
      observed: { ip: '127.0.0.1' },
      stun: [
        { port: server.stun.port, role: 'primary' },
        { port: server.stun.secondPort, role: 'second-port' },
      ],
      limits: { frameBytes: 16_384, relayPayloadBytes: 1_600, signalsPerSecond: 50, relayBytesPerSecond: 4_000_000 },
    });
  });

  test('each learns the session and source tag of the other, and no address', async () => {
    const server = await running();
    const session = randomBytes(16).toString('hex');
    const a = await connect(server).joined({ session });
    const b = await connect(server).joined();
    await until(() => a.got('joined').length === 1);
    const [seen] = b.welcome?.members ?? [];
    expect(seen).toMatchObject({ member: a.id, session });
    expect(a.got('joined')[0]?.member).toBe(b.id);
    expect(a.got('joined')[0]?.source).toBe(seen?.source);
    expect(JSON.stringify([b.welcome?.members, a.got('joined')])).not.toContain('127.0.0.1');
  });

  test('leaving is told to those who stay', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    b.socket.close();
    await until(() => a.got('left').length === 1);
    expect(a.got('left')[0]?.member).toBe(b.id);
    expect([server.members, server.rooms]).toEqual([1, 1]);
    a.socket.terminate();
    await until(() => server.rooms === 0 && server.connections === 0);
  });

  test('rooms of other topics hear nothing', async () => {
    const server = await running();
    const a = await connect(server).joined();
    const b = await connect(server).joined({ topic: OTHER_TOPIC });
    await a.settled();
    expect([a.messages.length, b.welcome?.members]).toEqual([1, []]);
    expect(server.rooms).toBe(2);
  });

  test('source tags differ from run to run', async () => {
    const tags = new Set<string>();
    for (let run = 0; run < 2; run++) {
      const [, b] = await pair(await running());
      tags.add(b.welcome?.members[0]?.source ?? '');
    }
    expect(tags.size).toBe(2);
  });
});

describe('relay', () => {
  test('passes only where the receiver has allowed the sender', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    a.relay(b.id, 'too early');
    b.say({ t: 'allow', member: a.id });
    await Promise.all([a.settled(), b.settled()]);
    a.relay(b.id, 'welcome');
    b.relay(a.id, 'not asked for');
    await until(() => b.frames.length > 0);
    await b.settled();
    expect(b.frames).toMatchObject([{ type: 2, member: a.id }]);
    expect(b.texts()).toEqual(['welcome']);
    expect(a.frames).toEqual([]);
    expect(server.counters.dropped['not-allowed']).toBe(2);
    expect([server.counters.relayFrames, server.counters.relayBytes]).toEqual([1, 7]);
  });

  test('stops at once when the receiver denies the sender', async () => {
    const server = await running();
    const [a, b] = await pair(server, true);
    b.say({ t: 'deny', member: a.id });
    await b.settled();
    a.relay(b.id, 'still there?');
    await a.settled();
    expect(b.frames).toEqual([]);
    expect(server.counters.dropped['not-allowed']).toBe(1);
  });

  test('a permission for a member of another room, for oneself, or for nobody, opens nothing', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    const stranger = await connect(server).joined({ topic: OTHER_TOPIC });
    for (const member of [stranger.id, b.id, '00'.repeat(8)]) b.say({ t: 'allow', member });
    stranger.say({ t: 'allow', member: b.id });
    await Promise.all([b.settled(), stranger.settled()]);
    stranger.relay(b.id, 'across');
    stranger.signal(b.id, 'across');
    b.relay(stranger.id, 'across');
    b.relay(b.id, 'to myself');
    b.relay('00'.repeat(8), 'to nobody');
    await Promise.all([b.settled(), stranger.settled(), a.settled()]);
    expect([a.frames, b.frames, stranger.frames]).toEqual([[], [], []]);
    expect(server.counters.dropped['no-such-member']).toBe(5);
  });

  test('keeps the order and the bytes of what it passes', async () => {
    const server = await running();
    const [a, b] = await pair(server, true);
    const payloads = Array.from({ length: 200 }, (_, i) => randomBytes(1 + ((i * 37) % 1_600)));
    for (const payload of payloads) a.relay(b.id, payload);
    await until(() => b.frames.length === payloads.length);
    expect(b.frames.map(({ payload }) => Buffer.from(payload).equals(payloads.shift() ?? Buffer.alloc(0)))).toEqual(
      Array(200).fill(true),
    );
  });
});

describe('signals between members that have not allowed each other', () => {
  test('are four a pair, whoever sends them', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    for (const n of [1, 2]) a.signal(b.id, `a${n}`);
    await until(() => b.frames.length === 2);
    for (const n of [3, 4, 5]) b.signal(a.id, `b${n}`);
    await b.settled();
    a.signal(b.id, 'a6');
    await a.settled();
    expect([b.texts(), a.texts()]).toEqual([
      ['a1', 'a2'],
      ['b3', 'b4'],
    ]);
    expect(server.counters.dropped['handshake-allowance']).toBe(2);
  });

  test('have at most 512 bytes', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    a.signal(b.id, Buffer.alloc(513));
    a.signal(b.id, Buffer.alloc(512));
    await until(() => b.frames.length > 0);
    await a.settled();
    expect(b.frames.map(({ payload }) => payload.length)).toEqual([512]);
  });

  test('come back when the window has passed', async () => {
    const server = await running({ limits: { handshakeWindowMs: 100, handshakeFrames: 1 } });
    const [a, b] = await pair(server);
    a.signal(b.id, 'first');
    a.signal(b.id, 'beyond');
    await a.settled();
    const tries = setInterval(() => a.signal(b.id, 'later'), 30);
    await until(() => b.frames.length === 2).finally(() => clearInterval(tries));
    expect(b.texts()).toEqual(['first', 'later']);
  });

  test('one-sided permission is not enough', async () => {
    const server = await running();
    const [a, b] = await pair(server);
    b.say({ t: 'allow', member: a.id });
    await b.settled();
    for (let n = 0; n < 6; n++) a.signal(b.id, 'knock');
    await a.settled();
    expect(server.counters.signals).toBe(4);
  });

  test('are without that limit once both have allowed', async () => {
    const server = await running();
    const [a, b] = await pair(server, true);
    for (let n = 0; n < 20; n++) a.signal(b.id, Buffer.alloc(8_192));
    await until(() => b.frames.length === 20);
    expect(server.counters.dropped['handshake-allowance']).toBe(0);
  });
});
