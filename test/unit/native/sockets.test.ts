import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Endpoint } from 'node-wireguard';
import { closeDevices, connectPair, openDevice, packet, payloadOf, settle, until } from './fixture.ts';

afterEach(closeDevices);

interface Datagram {
  bytes: Uint8Array;
  from: RemoteInfo;
}

let raw: Socket;
let received: Datagram[];
let here: Endpoint;

beforeEach(async () => {
  received = [];
  raw = createSocket('udp4').bind(0, '127.0.0.1');
  raw.on('message', (bytes, from) => received.push({ bytes: new Uint8Array(bytes), from }));
  await once(raw, 'listening');
  here = { ip: '127.0.0.1', port: raw.address().port };
});
afterEach(() => raw.close());

/** A STUN message (RFC 8489, section 5) without attributes but `extra`. */
function stun(type: number, transaction: Uint8Array, extra = new Uint8Array()): Uint8Array {
  const out = new Uint8Array(20 + extra.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, type);
  view.setUint16(2, extra.length);
  view.setUint32(4, 0x2112a442);
  out.set(transaction, 8);
  out.set(extra, 20);
  return out;
}

const REQUEST = 0x0001;
const INDICATION = 0x0011;
const SUCCESS = 0x0101;

describe('send', () => {
  it('sends one datagram as it is, from the socket that was named', async () => {
    const { device } = openDevice();
    const [extra] = device.openSockets(1, 4);
    expect(device.send(0, here, Uint8Array.of(1, 2, 3))).toBe(true);
    expect(device.send(extra?.id ?? -1, here, Uint8Array.of(4), { ttl: 1 })).toBe(true);
    await until(() => received.length === 2, 'two datagrams');
    expect(received.map(({ bytes, from }) => [[...bytes], from.port])).toEqual([
      [[1, 2, 3], device.sockets()[0]?.port],
      [[4], extra?.port],
    ]);
  });

  it('reports what can never leave, at most once a second', async () => {
    const target = openDevice();
    for (let i = 0; i < 5; i++) expect(target.device.send(0, here, new Uint8Array(65_535))).toBe(false);
    expect(await target.next('socket-error')).toEqual({ type: 'socket-error', socket: 0, code: 'EMSGSIZE' });
    await settle(target);
    expect(target.of('socket-error')).toHaveLength(1);
  });
});

describe('a STUN message', () => {
  it('is told when it answers a request that was sent, with its receive time', async () => {
    const target = openDevice();
    const id = randomBytes(12);
    const before = Number(process.hrtime.bigint()) / 1e6;
    target.device.send(0, here, stun(REQUEST, id));
    const answer = stun(SUCCESS, id, randomBytes(8));
    raw.send(answer, target.port, '127.0.0.1');
    const event = await target.next('stun');
    expect(event).toMatchObject({ socket: 0, from: here, bytes: answer });
    expect(event.at).toBeGreaterThanOrEqual(before);
    expect(event.at).toBeLessThanOrEqual(Number(process.hrtime.bigint()) / 1e6);
  });

  it('is told on whichever socket it arrives: hairpin and filtering tests cross sockets', async () => {
    const target = openDevice();
    const [extra] = target.device.openSockets(1, 4);
    const id = randomBytes(12);
    target.device.send(0, { ip: '127.0.0.1', port: extra?.port ?? 0 }, stun(REQUEST, id));
    expect(await target.next('stun')).toMatchObject({ socket: extra?.id, bytes: stun(REQUEST, id) });
  });

  it.each([
    ['of a transaction nobody began', () => stun(SUCCESS, randomBytes(12))],
    ['longer than it says', (id: Uint8Array) => Uint8Array.from([...stun(SUCCESS, id), 0, 0, 0, 0])],
    ['without the cookie', (id: Uint8Array) => stun(SUCCESS, id).with(4, 0)],
  ])('is dropped and counted when it is %s', async (_name, make) => {
    const target = openDevice();
    const id = randomBytes(12);
    target.device.send(0, here, stun(REQUEST, id));
    raw.send(make(id), target.port, '127.0.0.1');
    await until(() => target.device.stats().datagramsRejected === 1, 'one rejected');
    expect(target.of('stun')).toEqual([]);
  });

  it('is not awaited after an indication', async () => {
    const target = openDevice();
    const id = randomBytes(12);
    target.device.send(0, here, stun(INDICATION, id));
    raw.send(stun(SUCCESS, id), target.port, '127.0.0.1');
    await until(() => target.device.stats().datagramsRejected === 1, 'one rejected');
  });
});

describe('extra sockets', () => {
  it('open by the hundred on ports of their own, all receive, and close', async () => {
    const target = openDevice();
    const opened = target.device.openSockets(300, 4);
    expect(new Set(opened.map(({ port }) => port)).size).toBe(300);
    for (const [index, { id }] of opened.entries()) {
      target.device.send(id, here, Uint8Array.of(0xff));
      // In steps that fit the receiver's buffer.
      if (index % 50 === 49) await until(() => received.length === index + 1, `${index + 1} datagrams`);
    }
    for (const { from } of received) raw.send(Uint8Array.of(0xff), from.port, from.address);
    await until(() => target.device.stats().datagramsRejected === 300, '300 received (and not wanted)');
    target.device.closeSockets(opened.map(({ id }) => id));
    target.device.closeSockets(opened.map(({ id }) => id));
    expect(target.device.sockets().map(({ id }) => id)).toEqual([0]);
    // The ports are free again.
    const again = createSocket('udp4').bind(opened[0]?.port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });

  it('leave the main sockets open', () => {
    const { device } = openDevice();
    device.closeSockets([0]);
    expect(device.sockets()).toHaveLength(1);
  });

  it('take their paths with them', async () => {
    const { a, b, peerB } = await connectPair();
    const [extra] = a.device.openSockets(1, 4);
    a.device.setPath(peerB, { kind: 'udp', socket: extra?.id ?? -1, to: { ip: '127.0.0.1', port: b.port } });
    a.device.closeSockets([extra?.id ?? -1]);
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'held'));
    a.device.setPath(peerB, a.to(b));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('held');
  });
});

describe('a flood of garbage', () => {
  it('is counted, and the session goes on', async () => {
    const { a, b } = await connectPair();
    const flood = Array.from({ length: 1_000 }, (_, index) => {
      const bytes = randomBytes(1 + (index % 200));
      // Every classifier gets its share of nearly right ones.
      const head =
        [[], [1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0], [0xd7, 1, 0, 0], [0, 1]][index % 7] ?? [];
      bytes.set(head.slice(0, bytes.length));
      return bytes;
    });
    const sizes = [148, 92, 64, 32].map((size, index) => {
      const bytes = randomBytes(size);
      bytes.set([index + 1, 0, 0, 0]);
      return bytes;
    });
    let sent = 0;
    for (const bytes of [...flood, ...sizes]) {
      raw.send(bytes, b.port, '127.0.0.1');
      sent++;
      // In steps that fit the socket's buffer.
      if (sent % 50 === 0) await until(() => b.device.stats().datagramsRejected === sent, `${sent} rejected`);
    }
    await until(() => b.device.stats().datagramsRejected === sent, 'all rejected');
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'still here'));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('still here');
  });
});

describe('under a flood of handshakes', () => {
  it('a device answers with cookies, and a peer that follows them gets through', async () => {
    const { a, b, peerB, peerA } = await connectPair();
    // Initiations that a made for b, caught on an external path: well-formed, so their mac1 is right.
    const c = openDevice();
    const toB = c.device.addPeer({ publicKey: b.device.publicKey });
    c.device.setPath(toB, { kind: 'external' });
    const { bytes } = await c.next('outbound');
    for (let i = 0; i < 250; i++) {
      raw.send(bytes, b.port, '127.0.0.1');
      if (i % 50 === 49) await settle(b);
    }
    await until(() => b.device.stats().underLoad, 'load');
    const cookie = await until(() => received.find((datagram) => datagram.bytes[0] === 3), 'a cookie reply');
    expect(cookie.bytes).toHaveLength(64);

    b.device.removePeer(peerA);
    a.device.removePeer(peerB);
    const again = b.device.addPeer({ publicKey: a.device.publicKey, initiate: false, allowedIps: ['10.0.0.1/32'] });
    const back = a.device.addPeer({ publicKey: b.device.publicKey, allowedIps: ['10.0.0.2/32'] });
    b.device.setPath(again, b.to(a));
    a.device.setPath(back, a.to(b));
    await a.next('handshake', ({ peer }) => peer === back);
  });
});
