import { connect as connectTcp } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HELLO_HEADER } from '../../../protocol/server.ts';
import { TOPIC } from './client.ts';
import { connect, pair, running } from './running.ts';
import { until } from './until.ts';

const session = '33'.repeat(16);
const hello = JSON.stringify({ t: 'hello', versions: [1], topic: TOPIC, session });

describe('broken messages', () => {
  test.each<[string, string | Buffer]>([
    ['no JSON', 'hello'],
    ['bytes that are not UTF-8 behind JSON', '{"t":"\ufffd"}'],
    ['an unknown message', '{"t":"sudo"}'],
    ['a topic of the wrong length', hello.replace(TOPIC, 'aa')],
    ['a topic in capitals', hello.replace(TOPIC, 'AA'.repeat(32))],
    ['no versions', hello.replace('[1]', '[]')],
    ['too many versions', hello.replace('[1]', `[${Array(9).fill(1).join()}]`)],
    ['an allow before the hello', JSON.stringify({ t: 'allow', member: '00'.repeat(8) })],
    ['a frame before the hello', Buffer.alloc(20, 1)],
    ['a prototype', '{"__proto__":{"t":"hello"}}'],
    ['null', 'null'],
    ['nothing', ''],
  ])('%s instead of a hello is answered by bad-message', async (_, bytes) => {
    const server = await running();
    const client = await connect(server).opened();
    client.socket.send(bytes);
    expect(await client.error()).toBe('bad-message');
    await until(() => client.closed !== null);
    expect([server.connections, server.counters.errors['bad-message']]).toEqual([0, 1]);
  });

  test.each<[string, string | Buffer]>([
    ['a second hello', hello],
    ['an unknown message', '{"t":"joined"}'],
    ['a member id with other characters', JSON.stringify({ t: 'allow', member: 'zz'.repeat(8) })],
    ['an unknown frame type', Buffer.alloc(20, 9)],
    ['a frame shorter than its header', Buffer.alloc(8, 1)],
    ['an empty frame', Buffer.alloc(0)],
  ])('%s of a member is answered by bad-message, and the others stay', async (_, bytes) => {
    const server = await running();
    const [a, b] = await pair(server);
    a.socket.send(bytes);
    expect(await a.error()).toBe('bad-message');
    await until(() => b.got('left').length === 1);
    await b.settled();
  });

  test('unknown fields are ignored', async () => {
    const client = await connect(await running()).opened();
    client.socket.send(hello.replace('{', '{"future":[1,2],'));
    await until(() => client.welcome !== null);
  });
});

describe('a hello in the upgrade request', () => {
  const greeting = (text: string) => ({ headers: { [HELLO_HEADER]: text } });

  test('is welcomed, once more said without effect, and a third time a bad message', async () => {
    const server = await running();
    const client = connect(server, greeting(hello));
    await until(() => client.welcome !== null);
    client.socket.send(hello);
    await client.settled();
    expect([client.messages.length, server.members]).toEqual([1, 1]);
    client.socket.send(hello);
    expect(await client.error()).toBe('bad-message');
  });

  test('has the same limits as any', async () => {
    const server = await running({ limits: { membersPerRoom: 1 } });
    await connect(server).joined();
    const client = connect(server, greeting(hello));
    expect(await client.error()).toBe('room-full');
    await until(() => server.connections === 1);
  });

  test.each<[string, string]>([
    ['no JSON', 'hello'],
    ['another message', JSON.stringify({ t: 'allow', member: '00'.repeat(8) })],
    ['a topic of the wrong length', hello.replace(TOPIC, 'aa')],
    ['nothing', ''],
  ])('%s has no effect there', async (_, text) => {
    const server = await running();
    const client = await connect(server, greeting(text)).joined();
    expect([client.messages.length, server.members]).toEqual([1, 1]);
  });
});

describe('broken WebSockets', () => {
  test.each<[string, string]>([
    ['an unmasked frame', '8101 61'],
    ['reserved bits', 'f181 00000000 61'],
    ['an unknown opcode', '8381 00000000 61'],
    ['text that is not UTF-8', '8181 00000000 ff'],
    ['a control frame in pieces', '0981 00000000 61'],
    ['a length above every limit', '82ff 7fffffffffffffff 00000000'],
  ])('%s ends the connection and is counted', async (_, hex) => {
    const server = await running();
    const [a, b] = await pair(server);
    a.tcp.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    await until(() => b.got('left').length === 1);
    const { errors } = server.counters;
    expect(errors['bad-message'] + errors['too-large']).toBe(1);
  });

  test('TCP connections without a request are bounded for one source', async () => {
    const server = await running({ limits: { connectionsPerSource: 1 } });
    const sockets = Array.from({ length: 80 }, () => connectTcp(server.port, '127.0.0.1'));
    let ended = 0;
    for (const socket of sockets) socket.on('error', () => undefined).on('close', () => ended++);
    await until(() => ended === 80 - 65);
    expect(server.counters.errors['too-many-connections']).toBe(15);
    for (const socket of sockets) socket.destroy();
    await until(() => ended === 80);
    await connect(server).joined();
  });

  test.each([
    ['garbage', '\x16\x03\x01garbage\r\n\r\n'],
    [
      'a request without WebSocket headers',
      'GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ],
    ['another protocol', 'GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'],
    ['huge headers', `GET /v1 HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('%s over TCP is turned away and leaves no connection behind', async (_, text) => {
    const server = await running({ limits: { connectionsPerSource: 1 } });
    const socket = connectTcp(server.port, '127.0.0.1');
    let ended = false;
    socket
      .on('error', () => undefined)
      .on('close', () => {
        ended = true;
      });
    socket.resume().write(text);
    await until(() => ended);
    await connect(server).joined();
  });
});

describe('noise', () => {
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .uint8Array({ minLength: 9, maxLength: 1_700 })
      .map((bytes) => Uint8Array.of(1 + ((bytes[0] ?? 0) & 1), ...bytes)),
    fc.json({ maxDepth: 3 }),
    fc.string({ maxLength: 60 }),
  );

  test('of any kind never takes the server down, and never reaches another member as anything but frames', async () => {
    const server = await running({ limits: { connectionsPerSource: 1_000 } });
    const [a, b] = await pair(server, true);
    const noise = fc.sample(frames, { numRuns: 100, seed: 7 });
    let attacker = await connect(server).joined();
    for (const bytes of noise) {
      if (attacker.closed !== null) attacker = await connect(server).joined();
      let answered = false;
      attacker.socket.once('pong', () => {
        answered = true;
      });
      attacker.socket.send(bytes);
      attacker.socket.ping();
      await until(() => answered || attacker.closed !== null);
    }
    a.relay(b.id, 'unharmed');
    await until(() => b.texts().includes('unharmed'));
    expect(server.counters.errors['bad-message']).toBeGreaterThan(10);
    expect(b.frames).toHaveLength(1);
  });
});
