import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { NetworkInterfaceInfo } from 'node:os';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type BindingResponse,
  decodeBindingResponse,
  encodeBindingRequest,
} from '../../../engine/core/stun/binding.ts';
import { encodeStun, type StunAttribute, type StunClass } from '../../../engine/core/stun/message.ts';
import type { RunningServer } from '../../../server/server.ts';
import { StunRateLimit } from '../../../server/stun/rate-limit.ts';
import { primaryBeside } from '../../../server/stun/stun-server.ts';
import { connect, running } from './running.ts';
import { until } from './until.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

interface Answer {
  response: BindingResponse;
  from: { ip: string; port: number };
}

class StunClient {
  readonly answers: Answer[] = [];
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (bytes, remote) => this.#receive(bytes, remote));
  }

  get port(): number {
    return this.socket.address().port;
  }

  send(bytes: Uint8Array, port: number, ip = '127.0.0.1'): void {
    this.socket.send(bytes, port, ip);
  }

  async ask(port: number, change?: { ip: boolean; port: boolean }, ip = '127.0.0.1'): Promise<Answer> {
    const transactionId = randomBytes(12);
    this.send(encodeBindingRequest({ transactionId, change }), port, ip);
    const mine = ({ response }: Answer) => Buffer.compare(response.transactionId, transactionId) === 0;
    await until(() => this.answers.some(mine));
    return this.answers.find(mine) as Answer;
  }

  #receive(bytes: Buffer, { address, port }: RemoteInfo): void {
    const decoded = decodeBindingResponse(bytes);
    if (decoded.kind !== 'ok') throw new Error('the server sent a broken response');
    this.answers.push({ response: decoded.response, from: { ip: address, port } });
  }
}

async function client(ip = '127.0.0.1'): Promise<StunClient> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, ip);
  await once(socket, 'listening');
  sockets.push(socket);
  return new StunClient(socket);
}

/** The four of RFC 5780; the opposite of number n is number 3 - n. */
function endpoints({ stun }: RunningServer): { ip: string; port: number }[] {
  return ['127.0.0.1', '127.0.0.2'].flatMap((ip) => [stun.port, stun.secondPort].map((port) => ({ ip, port })));
}

function message(attributes: StunAttribute[], method = 1, cls: StunClass = 'request'): Uint8Array {
  return encodeStun({ class: cls, method, transactionId: randomBytes(12), attributes });
}

function at(address: string, internal = false): NetworkInterfaceInfo {
  return { address, internal } as NetworkInterfaceInfo;
}

const TWO = { alternateIp: '127.0.0.2' };
const CHANGE_IP = { ip: true, port: false };
const CHANGE_PORT = { ip: false, port: true };
const CHANGE_BOTH = { ip: true, port: true };
const REFUSED = { kind: 'error', error: { code: 420 }, unknown: [3] };

describe('STUN with one address', () => {
  test('tells the client its endpoint, on both ports, and no OTHER-ADDRESS', async () => {
    const server = await running();
    const asking = await client();
    for (const port of [server.stun.port, server.stun.secondPort]) {
      const { response, from } = await asking.ask(port);
      expect(from).toEqual({ ip: '127.0.0.1', port });
      expect(response).toMatchObject({
        kind: 'success',
        mapped: { ip: '127.0.0.1', port: asking.port },
        origin: { ip: '127.0.0.1', port },
        other: null,
      });
    }
  });

  test('answers a change of port from the other port', async () => {
    const { stun } = await running();
    const asking = await client();
    const answers = [await asking.ask(stun.port, CHANGE_PORT), await asking.ask(stun.secondPort, CHANGE_PORT)];
    expect(answers.map(({ from }) => from.port)).toEqual([stun.secondPort, stun.port]);
    expect(answers[0]?.response).toMatchObject({ origin: { port: stun.secondPort } });
  });

  test.each([
    ['the address', CHANGE_IP],
    ['both', CHANGE_BOTH],
  ])('refuses a change of %s with 420', async (_, change) => {
    const server = await running();
    const { response, from } = await (await client()).ask(server.stun.port, change);
    expect(response).toMatchObject(REFUSED);
    expect(from.port).toBe(server.stun.port);
    expect(server.counters.stun.refused).toBe(1);
  });

  test('works over IPv6', async () => {
    const { stun } = await running({ host: '::1' });
    const asking = await client('::1');
    const { response } = await asking.ask(stun.port, undefined, '::1');
    expect(response).toMatchObject({ mapped: { ip: '::1', port: asking.port }, origin: { ip: '::1' } });
  });

  test('bound to every address it serves both families and claims no origin', async () => {
    const { stun } = await running({ host: '::' });
    const [v4, v6] = [await client(), await client('::1')];
    const four = await v4.ask(stun.port);
    const six = await v6.ask(stun.secondPort, CHANGE_PORT, '::1');
    expect(four.response).toMatchObject({ mapped: { ip: '127.0.0.1', port: v4.port }, origin: null });
    expect(six).toMatchObject({ response: { mapped: { ip: '::1' } }, from: { port: stun.port } });
  });

  test('names the address that is advertised', async () => {
    const server = await running({ advertised: { ip: '203.0.113.1' } });
    const { response } = await (await client()).ask(server.stun.port);
    expect(response).toMatchObject({ origin: { ip: '203.0.113.1', port: server.stun.port } });
    const member = await connect(server).joined();
    expect(member.welcome?.stun[0]).toEqual({ ip: '203.0.113.1', port: server.stun.port, role: 'primary' });
  });
});

describe('STUN with an alternate IP is all of RFC 5780', () => {
  test('each of the four endpoints answers, and names its opposite as OTHER-ADDRESS', async () => {
    const server = await running(TWO);
    const asking = await client();
    const all = endpoints(server);
    for (const [n, endpoint] of all.entries()) {
      const { response, from } = await asking.ask(endpoint.port, undefined, endpoint.ip);
      expect(from).toEqual(endpoint);
      expect(response).toMatchObject({ kind: 'success', origin: endpoint, other: all[3 - n] });
    }
  });

  test.each([
    ['neither', undefined, 0],
    ['the port', CHANGE_PORT, 1],
    ['the address', CHANGE_IP, 2],
    ['both', CHANGE_BOTH, 3],
  ])('a change of %s comes from the endpoint that differs just so', async (_, change, bits) => {
    const server = await running(TWO);
    const asking = await client();
    const all = endpoints(server);
    for (const [n, endpoint] of all.entries()) {
      const { response, from } = await asking.ask(endpoint.port, change, endpoint.ip);
      expect(from).toEqual(all[n ^ bits]);
      expect(response).toMatchObject({ origin: all[n ^ bits], other: all[3 - n] });
    }
  });

  test('is announced in the welcome', async () => {
    const server = await running(TWO);
    const member = await connect(server).joined();
    expect(member.welcome?.stun).toEqual([
      { ip: '127.0.0.1', port: server.stun.port, role: 'primary' },
      { ip: '127.0.0.1', port: server.stun.secondPort, role: 'second-port' },
      { ip: '127.0.0.2', port: server.stun.port, role: 'alternate' },
    ]);
  });

  test('where no listen address is given, the first is found beside it on its interface', () => {
    const host = {
      lo: [at('127.0.0.1', true), at('::1', true)],
      eth0: [at('10.0.0.9'), at('fe80::9'), at('2001:db8::9')],
      eth1: [at('203.0.113.1'), at('203.0.113.2'), at('fe80::1'), at('2001:db8:1::1'), at('2001:db8:1::2')],
    };
    expect(primaryBeside('203.0.113.2', host)).toBe('203.0.113.1');
    expect(primaryBeside('203.0.113.1', host)).toBe('203.0.113.2');
    expect(primaryBeside('2001:db8:1::1', host)).toBe('2001:db8:1::2');
    expect(primaryBeside('10.0.0.9', host)).toBe('203.0.113.1');
    expect(() => primaryBeside('10.0.0.9', { lo: host.lo, eth0: host.eth0 })).toThrow('second address');
  });
});

describe('RESPONSE-PORT', () => {
  test('the answer goes to that port of the asking address, and tells what the asking socket looks like', async () => {
    const { asking, waiting, port } = await twoClients();
    const transactionId = randomBytes(12);
    asking.send(encodeBindingRequest({ transactionId, responsePort: waiting.port }), port);
    await until(() => waiting.answers.length === 1);
    expect(waiting.answers[0]?.response).toMatchObject({ kind: 'success', mapped: { port: asking.port } });
    expect(waiting.answers[0]?.from.port).toBe(port);
    await asking.ask(port);
    expect(asking.answers).toHaveLength(1);
  });

  test('one that is malformed is refused, to the port that asked', async () => {
    const { asking, port } = await twoClients();
    for (const value of [Uint8Array.of(), Uint8Array.of(9), Uint8Array.of(0, 0, 0, 0), new Uint8Array(6)]) {
      asking.send(message([{ type: 0x0027, value }]), port);
    }
    await until(() => asking.answers.length === 4);
    for (const { response } of asking.answers) expect(response).toMatchObject({ kind: 'error', error: { code: 400 } });
  });

  async function twoClients() {
    const { stun } = await running();
    return { asking: await client(), waiting: await client(), port: stun.port };
  }
});

describe('hostile datagrams', () => {
  test('unknown required attributes are refused with 420 and their list', async () => {
    const server = await running();
    const asking = await client();
    const value = new Uint8Array(4);
    const types = [0x0024, 0x8029, 0x0026, 0x0024];
    asking.send(message(types.map((type) => ({ type, value }))), server.stun.port);
    await until(() => asking.answers.length === 1);
    expect(asking.answers[0]?.response).toMatchObject({ kind: 'error', error: { code: 420 }, unknown: [0x24, 0x26] });
  });

  test('a malformed CHANGE-REQUEST is refused with 400', async () => {
    const server = await running();
    const asking = await client();
    asking.send(message([{ type: 3, value: new Uint8Array(2) }]), server.stun.port);
    await until(() => asking.answers.length === 1);
    expect(asking.answers[0]?.response).toMatchObject({ kind: 'error', error: { code: 400 } });
  });

  test('responses, indications and other methods are not answered, so servers cannot be made to talk', async () => {
    const server = await running();
    const asking = await client();
    asking.send(message([], 1, 'success'), server.stun.port);
    asking.send(message([], 1, 'indication'), server.stun.port);
    asking.send(message([], 3), server.stun.port);
    asking.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'), server.stun.port);
    asking.send(message([]).subarray(0, 20).fill(0xff, 2, 4), server.stun.port);
    await asking.ask(server.stun.port);
    expect(server.counters.stun).toMatchObject({ ignored: 3, 'not-stun': 1, malformed: 1, answered: 1 });
    expect(asking.answers).toHaveLength(1);
  });

  test('noise never stops the server', async () => {
    const server = await running();
    const asking = await client();
    for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 200 }), { numRuns: 300, seed: 3 })) {
      asking.send(bytes, server.stun.port);
    }
    const { response } = await asking.ask(server.stun.secondPort);
    expect(response.kind).toBe('success');
  });

  test('an answer is at most 3.4 times its smallest request', async () => {
    const { stun } = await running({ alternateIp: '127.0.0.2' });
    const asking = await client();
    const sizes: number[] = [];
    asking.socket.on('message', (bytes) => sizes.push(bytes.length));
    const request = message([]);
    asking.send(request, stun.port);
    await until(() => sizes.length === 1);
    expect((sizes[0] ?? 0) / request.length).toBeLessThanOrEqual(3.4);
  });
});

describe('the rate limit', () => {
  test('lets a burst through, then a rate, each source by itself', () => {
    const limit = new StunRateLimit();
    const admitted = (ip: string, now: number, count: number) =>
      Array.from({ length: count }, () => limit.admits(ip, now)).filter(Boolean).length;
    expect(admitted('198.51.100.1', 0, 1_000)).toBe(600);
    expect(admitted('198.51.100.1', 1_000, 1_000)).toBe(100);
    expect(admitted('198.51.100.2', 1_000, 1_000)).toBe(600);
    expect(admitted('2001:db8::1', 0, 400) + admitted('2001:db8::2', 0, 400)).toBe(600);
  });

  test('holds on the wire', async () => {
    const server = await running();
    const asking = await client();
    const request = encodeBindingRequest({ transactionId: randomBytes(12) });
    const { stun } = server.counters;
    const seen = () => stun.answered + stun['rate-limited'];
    for (let n = 0; n < 800; n += 50) {
      const before = seen();
      for (let each = 0; each < 50; each++) asking.send(request, server.stun.port);
      await until(() => seen() === before + 50);
    }
    expect(stun['rate-limited']).toBeGreaterThan(0);
    expect(stun.answered).toBeGreaterThanOrEqual(600);
  });

  test('forgets the oldest sources of a flood of forged ones', () => {
    const limit = new StunRateLimit();
    for (let n = 0; n < 600; n++) limit.admits('198.51.100.1', 0);
    expect(limit.admits('198.51.100.1', 0)).toBe(false);
    for (let n = 0; n < 17_000; n++) limit.admits(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 0);
    expect(limit.admits('198.51.100.1', 0)).toBe(true);
  });
});
