import { describe, expect, test } from 'vitest';
import { encodeFrame, FRAME_RELAY } from '../../../protocol/server.ts';
import { OTHER_TOPIC, TOPIC } from './client.ts';
import { connect, pair, running } from './running.ts';
import { until } from './until.ts';

const hello = { t: 'hello' as const, versions: [1], topic: TOPIC, session: '11'.repeat(16) };
const topic = (n: number) => n.toString(16).padStart(64, '0');

describe('the way in', () => {
  test('silence instead of a hello is answered by hello-timeout', async () => {
    const server = await running({ limits: { helloTimeoutMs: 50 } });
    const client = await connect(server).opened();
    expect(await client.error()).toBe('hello-timeout');
    await until(() => client.closed !== null);
    expect(client.closed).toEqual({ code: 1008, reason: 'hello-timeout' });
    expect(server.connections).toBe(0);
  });

  test('a member is not subject to the hello timeout', async () => {
    const server = await running({ limits: { helloTimeoutMs: 500 } });
    const member = await connect(server).joined();
    const silent = await connect(server).opened();
    expect(await silent.error()).toBe('hello-timeout');
    await member.settled();
    expect(member.closed).toBeNull();
  });

  test('versions that the server does not speak are refused', async () => {
    const client = await connect(await running()).opened();
    client.say({ ...hello, versions: [2, 255] });
    expect(await client.error()).toBe('version');
  });

  test('a full room takes nobody, another room does', async () => {
    const server = await running({ limits: { membersPerRoom: 2 } });
    const [, b] = await pair(server);
    const late = await connect(server).opened();
    late.say(hello);
    expect(await late.error()).toBe('room-full');
    await connect(server).joined({ topic: OTHER_TOPIC });
    b.socket.close();
    await until(() => server.members === 2);
    await connect(server).joined();
  });

  test('connections of one source are limited, and free again when one ends', async () => {
    const server = await running({ limits: { connectionsPerSource: 2 } });
    const [a] = await pair(server);
    const response = await refusal(connect(server).socket);
    expect(response).toMatchObject({ status: 429, body: { t: 'error', code: 'too-many-connections' } });
    expect(server.counters.errors['too-many-connections']).toBe(1);
    a.socket.close();
    await until(() => server.connections === 1);
    await connect(server).joined();
  });

  test('coming and going without end is limited, for everyone else who is there hears of it', async () => {
    const server = await running({ limits: { connectionsPerSource: 2, arrivalsPerSecond: 1e-6 } });
    const stays = await connect(server).joined();
    for (let turn = 0; turn < 3; turn++) {
      const passing = await connect(server).joined();
      passing.socket.close();
      await until(() => server.connections === 1);
    }
    const response = await refusal(connect(server).socket);
    expect(response).toMatchObject({ status: 429, body: { t: 'error', code: 'too-many-connections' } });
    await stays.settled();
    expect(stays.closed).toBeNull();
  });

  test('rooms of one source are limited, members of the same room are not', async () => {
    const server = await running({ limits: { roomsPerSource: 2 } });
    const first = await connect(server).joined({ topic: topic(1) });
    await connect(server).joined({ topic: topic(1) });
    await connect(server).joined({ topic: topic(2) });
    const beyond = await connect(server).opened();
    beyond.say({ ...hello, topic: topic(3) });
    expect(await beyond.error()).toBe('too-many-rooms');
    await connect(server).joined({ topic: topic(2) });
    first.socket.close();
    await until(() => server.members === 3);
    const still = await connect(server).opened();
    still.say({ ...hello, topic: topic(3) });
    expect(await still.error()).toBe('too-many-rooms');
  });

  test('a request with an Origin header is refused', async () => {
    const server = await running();
    const { socket } = connect(server, { headers: { Origin: 'https://example.org' } });
    expect(await refusal(socket)).toEqual({ status: 403, body: { t: 'error', code: 'origin' } });
  });

  test('other paths and plain requests are not found', async () => {
    const server = await running();
    const base = `http://127.0.0.1:${server.port}`;
    const statuses = await Promise.all(['/', '/v1', '/metrics'].map(async (path) => (await fetch(base + path)).status));
    expect(statuses).toEqual([404, 404, 404]);
  });
});

describe('rates', () => {
  test('signals beyond the rate are dropped, counted, and said once', async () => {
    const server = await running({ limits: { signalsPerSecond: 5, membersPerRoom: 50 } });
    const [a, b] = await pair(server, true);
    for (let n = 0; n < 30; n++) a.signal(b.id, `${n}`);
    await a.settled();
    await b.settled();
    expect(b.texts().slice(0, 5)).toEqual(['0', '1', '2', '3', '4']);
    expect(b.frames.length + server.counters.dropped['signal-rate']).toBe(30);
    expect(a.got('error')).toMatchObject([{ code: 'rate-limited', retryAfterMs: expect.any(Number) }]);
    expect(a.closed).toBeNull();
  });

  test('relay bytes beyond the rate are dropped and counted, and flow again later', async () => {
    const server = await running({ limits: { relayBytesPerSecond: 40_000 } });
    const [a, b] = await pair(server, true);
    for (let n = 0; n < 30; n++) a.relay(b.id, Buffer.alloc(1_000));
    await a.settled();
    await b.settled();
    expect(b.frames.length).toBeGreaterThanOrEqual(9);
    expect(b.frames.length + server.counters.dropped['relay-rate']).toBe(30);
    expect(server.counters.dropped['relay-rate']).toBeGreaterThan(10);
    const before = b.frames.length;
    const tries = setInterval(() => a.relay(b.id, 'again'), 20);
    await until(() => b.frames.length > before).finally(() => clearInterval(tries));
    expect(a.closed).toBeNull();
  });

  test('a download that has used up the rate costs a game nothing', async () => {
    const server = await running({ limits: { relayBytesPerSecond: 40_000 } });
    const [a, b] = await pair(server, true);
    for (let n = 0; n < 30; n++) a.relay(b.id, Buffer.alloc(1_000));
    for (let n = 0; n < 10; n++) a.relay(b.id, Buffer.alloc(150));
    await a.settled();
    await b.settled();
    expect(server.counters.dropped['relay-rate']).toBeGreaterThan(10);
    expect(b.frames.filter(({ payload }) => payload.length === 150)).toHaveLength(10);
  });

  test('control messages beyond one for each member of a full room are dropped', async () => {
    const server = await running({ limits: { membersPerRoom: 8, signalsPerSecond: 1 } });
    const [a, b] = await pair(server);
    for (let n = 0; n < 20; n++) a.say({ t: 'deny', member: b.id });
    await a.settled();
    expect(server.counters.dropped['control-rate']).toBe(12);
    expect(a.closed).toBeNull();
  });
});

describe('sizes', () => {
  test.each<[string, (id: string) => Uint8Array | string]>([
    ['a relay payload of 1,601 bytes', (member) => frame(member, 1_601)],
    ['a control message above 16 KiB', () => JSON.stringify({ ...hello, more: 'x'.repeat(16_384) })],
    ['a frame above 16 KiB', (member) => frame(member, 16_384)],
  ])('%s is answered by too-large', async (_, bytes) => {
    const server = await running();
    const [a, b] = await pair(server, true);
    a.socket.send(bytes(b.id));
    expect(await a.error()).toBe('too-large');
    await until(() => a.closed !== null && b.got('left').length === 1);
    expect(a.closed).toEqual({ code: 1009, reason: 'too-large' });
    expect(server.counters.errors['too-large']).toBe(1);
  });

  test('a frame far above is cut off while it arrives', async () => {
    const server = await running();
    const [a, b] = await pair(server, true);
    a.socket.send(Buffer.alloc(1_000_000));
    await until(() => a.closed !== null && b.got('left').length === 1);
    expect(server.counters.errors['too-large']).toBe(1);
  });

  test('a payload of 1,600 bytes passes', async () => {
    const [a, b] = await pair(await running(), true);
    a.relay(b.id, Buffer.alloc(1_600, 7));
    await until(() => b.frames.length === 1);
    expect(b.frames[0]?.payload).toHaveLength(1_600);
  });
});

describe('silence', () => {
  test('a member that answers no ping for two intervals is let go', async () => {
    const server = await running({ limits: { pingIntervalMs: 300 } });
    const silent = await connect(server, { autoPong: false }).joined();
    const alive = await connect(server).joined({ session: '22'.repeat(16) });
    await until(() => alive.got('left').length === 1);
    expect(alive.got('left')[0]?.member).toBe(silent.id);
    expect([server.counters.silent, server.members]).toEqual([1, 1]);
    await until(() => silent.closed !== null);
    expect(alive.closed).toBeNull();
  });
});

function frame(member: string, bytes: number): Uint8Array {
  return encodeFrame({ type: FRAME_RELAY, member, payload: new Uint8Array(bytes) });
}

async function refusal(socket: import('ws').WebSocket): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve) => {
    socket.once('unexpected-response', (_, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, body: JSON.parse(text) });
      });
    });
  });
}
