import { once } from 'node:events';
import { createServer } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FRAME_RELAY, FRAME_SIGNAL, type ServerMember } from '../../../protocol/server.ts';
import { until } from '../server/until.ts';
import { closing, dial } from './dial.ts';
import { startFakeServer, startWebServer, WELCOME } from './fake-server.ts';

const MEMBER = '03'.repeat(8);
const welcome = JSON.stringify(WELCOME);
const frame = encodeFrame({ type: FRAME_RELAY, member: MEMBER, payload: new Uint8Array(4) });

function memberOf(n: number): ServerMember {
  return { member: n.toString(16).padStart(16, '0'), session: '04'.repeat(16), source: 'x'.repeat(32) };
}

function crowdedWelcome(count: number): string {
  return JSON.stringify({ ...WELCOME, members: Array.from({ length: count }, (_, n) => memberOf(n)) });
}

/** A client against a server that greets it with these. */
async function against(...greeting: (string | Uint8Array)[]) {
  const server = closing(await startFakeServer((socket) => greeting.forEach((bytes) => socket.send(bytes))));
  return { server, ...dial(server.url) };
}

describe('a server that breaks the protocol is counted and left', () => {
  test.each<[string, (string | Uint8Array)[]]>([
    ['no JSON', ['hello']],
    ['an unknown message', ['{"t":"sudo"}']],
    ['a welcome with an endpoint that is none', [welcome.replace('"port":1', '"port":0')]],
    [
      'joined before the welcome',
      [JSON.stringify({ t: 'joined', member: MEMBER, session: '04'.repeat(16), source: 'x' })],
    ],
    ['a second welcome', [welcome, welcome]],
    ['a frame before the welcome', [frame]],
    ['an unknown frame type', [welcome, new Uint8Array(20).fill(9)]],
    ['a frame shorter than its header', [welcome, Uint8Array.of(1, 2, 3)]],
    ['a message above 64 KiB', [welcome, new Uint8Array(65_537).fill(1)]],
    ['more than 250 members', [crowdedWelcome(251)]],
  ])('%s', async (_, greeting) => {
    const { heard, port, server } = await against(...greeting);
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'protocol' }]);
    expect(port.counters.invalid).toBe(1);
    await until(() => server.sockets[0]?.readyState === 3);
  });

  test('noise of any kind never throws into the engine', async () => {
    const noise = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.json({ maxDepth: 3 }), fc.string({ maxLength: 60 }));
    for (const bytes of fc.sample(noise, { numRuns: 60, seed: 11 })) {
      const { heard } = await against(welcome, bytes);
      await until(() => heard.causes.length + heard.frames.length > 0);
      if (heard.causes.length > 0) expect(heard.causes[0]?.code).toBe('protocol');
    }
  });

  test('a welcome of a room of 250 fits', async () => {
    const { heard } = await against(crowdedWelcome(250));
    await until(() => heard.welcome !== undefined);
    expect(heard.welcome?.members).toHaveLength(250);
  });
});

describe('a server that is no rendezvous server', () => {
  test.each([
    ['a web page', 200, '<html>'],
    ['an error page', 502, 'x'.repeat(5_000)],
    ['a message that is no error', 503, welcome],
  ])('answers with %s and is refused', async (_, status, body) => {
    const { url, close } = await startWebServer(() => ({ status, body }));
    closing({ close });
    const { heard } = dial(url);
    await until(() => heard.causes.length > 0);
    expect([heard.messages, heard.causes]).toEqual([[], [{ code: 'refused', error: `HTTP ${status}` }]]);
  });

  test('speaks no HTTP and ends as a protocol error or unreachable', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing({ close: async () => void server.close() });
    const address = server.address();
    const { heard } = dial(`ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
    await until(() => heard.causes.length > 0);
    expect(['protocol', 'unreachable']).toContain(heard.causes[0]?.code);
  });
});

describe('a server that says nothing', () => {
  test('during the handshake is left as timeout', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing({ close: async () => void server.close() });
    const address = server.address();
    const url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const { heard } = dial(url, { connectTimeoutMs: 50 });
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toEqual([{ code: 'timeout' }]);
  });

  test('after it, not even a pong, is left as lost', async () => {
    const server = closing(await startFakeServer(() => undefined, false));
    const { heard } = dial(server.url, { pingIntervalMs: 30 });
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'lost' }]);
  });

  test('but answers pings is kept', async () => {
    let pings = 0;
    const server = closing(await startFakeServer((socket) => socket.on('ping', () => pings++)));
    const { heard } = dial(server.url, { pingIntervalMs: 150 });
    await until(() => pings > 3);
    expect(heard.causes).toEqual([]);
  });

  test('after a change of network is left at once, where it was not heard since', async () => {
    const server = closing(await startFakeServer(() => undefined, false));
    const { connection, heard } = dial(server.url, { checkTimeoutMs: 30 });
    await until(() => heard.remoteIp !== undefined);
    connection.check();
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'lost' }]);
  });

  test('after a change of network is left at once, where the address is gone that it knew this host by', async () => {
    const server = closing(await startFakeServer(() => undefined));
    const asked: string[] = [];
    const isOwnAddress = (ip: string) => asked.push(ip) < 2;
    const { connection, heard } = dial(server.url, { checkTimeoutMs: 60_000, isOwnAddress });
    await until(() => heard.remoteIp !== undefined);
    connection.check();
    expect(heard.causes).toEqual([]);
    connection.check();
    expect(heard.causes).toMatchObject([{ code: 'lost' }]);
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  test('and answers after a change of network is kept', async () => {
    let pings = 0;
    const server = closing(await startFakeServer((socket) => socket.on('ping', () => pings++)));
    const { connection, heard } = dial(server.url, { checkTimeoutMs: 5_000 });
    connection.check();
    await until(() => heard.remoteIp !== undefined);
    connection.check();
    connection.check();
    await until(() => pings === 2);
    connection.close();
    expect(heard.causes).toEqual([]);
  });

  test('and vanishes is lost, once', async () => {
    const { heard, server } = await against(welcome);
    await until(() => heard.welcome !== undefined);
    server.sockets[0]?.terminate();
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'lost' }]);
  });
});

describe('a server that does not read', () => {
  /** Enough for the kernel buffers of loopback and then some. */
  const ROUNDS = 20_000;

  test('gets no more data than the bound, but handshakes and signals for longer', async () => {
    const { heard, connection, port, server } = await against(welcome);
    await until(() => heard.welcome !== undefined);
    server.sockets[0]?.pause();
    const data = { type: FRAME_RELAY, member: MEMBER, payload: new Uint8Array(1_600).fill(4) } as const;
    let sent = 0;
    while (connection.frame(data, true)) {
      if (++sent % 40 === 0) await new Promise(setImmediate);
      expect(sent).toBeLessThan(ROUNDS);
    }
    const handshake = { ...data, payload: Uint8Array.of(1, ...new Uint8Array(147)) };
    expect(connection.frame(handshake)).toBe(true);
    const signal = { type: FRAME_SIGNAL, member: MEMBER, payload: new Uint8Array(8_192) } as const;
    let signals = 0;
    while (connection.frame(signal)) expect(++signals).toBeLessThan(100);
    expect(signals).toBeGreaterThan(10);
    expect(port.counters.droppedFrames).toBe(2);
    connection.send({ t: 'allow', member: MEMBER });
    expect(heard.causes).toMatchObject([{ code: 'lost' }]);
  });
});

describe('what cannot be sent', () => {
  test('is dropped and counted: before the welcome, too large, after the end', async () => {
    const { heard, connection, port } = await against(welcome);
    const small = { type: FRAME_RELAY, member: MEMBER, payload: new Uint8Array(1) } as const;
    expect(connection.frame(small)).toBe(false);
    connection.send({ t: 'allow', member: MEMBER });
    expect(port.counters).toEqual({ invalid: 0, droppedFrames: 1, droppedMessages: 1 });
    await until(() => heard.welcome !== undefined);
    expect(connection.frame({ ...small, payload: new Uint8Array(1_601) })).toBe(false);
    expect(connection.frame({ type: FRAME_SIGNAL, member: MEMBER, payload: new Uint8Array(16_376) })).toBe(false);
    expect(connection.frame(small)).toBe(true);
    connection.close();
    expect(connection.frame(small)).toBe(false);
    connection.send({ t: 'allow', member: MEMBER });
    expect(port.counters).toEqual({ invalid: 0, droppedFrames: 4, droppedMessages: 2 });
  });
});
