import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

import { blake2s } from '@noble/hashes/blake2.js';
import type { ProbeKeys, WireguardDevice } from 'node-wireguard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeDevices, openDevice, openPair, probeKeys, settle, type TestDevice, until } from './fixture.ts';

afterEach(closeDevices);

const mac = (key: Uint8Array, bytes: Uint8Array) => blake2s(bytes, { key, dkLen: 16 });

/** docs/protocol.md, "Probes", written a second time. */
function probe(key: Uint8Array, kind: number, seq: number, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(20 + body.length);
  head.set([0xd7, kind]);
  head.set(mac(key, new TextEncoder().encode('warren probe tag')).subarray(0, 8), 4);
  new DataView(head.buffer).setBigUint64(12, BigInt(seq), true);
  head.set(body, 20);
  return Uint8Array.from([...head, ...mac(key, head)]);
}

const rejected = (device: WireguardDevice) => device.stats().datagramsRejected;

const ZEROS = new Uint8Array(24);

describe('a ping', () => {
  it('is answered with the address it was seen from', async () => {
    const { a, b, peerA, peerB } = openPair();
    expect(a.device.ping(peerB, 7, a.via(b))).toBe(true);
    const pong = await a.next('pong');
    expect(pong).toMatchObject({
      peer: peerB,
      seq: 7,
      via: a.via(b),
      observed: { ip: '127.0.0.1', port: a.port },
    });
    expect(pong.rttMs).toBeGreaterThan(0);
    expect(pong.rttMs).toBeLessThan(1_000);
    expect(await b.next('ping')).toMatchObject({ peer: peerA, seq: 7, via: b.via(a) });
  });

  it('tells an IPv6 address as well', async () => {
    const [a, b] = [openDevice({ bindAddress: '::1' }), openDevice({ bindAddress: '::1' })];
    const [aProbe, bProbe] = probeKeys();
    const peerB = a.device.addPeer({ publicKey: b.device.publicKey, probe: aProbe });
    b.device.addPeer({ publicKey: a.device.publicKey, probe: bProbe });
    a.device.ping(peerB, 1, { socket: 1, remote: { ip: '::1', port: b.port } });
    expect((await a.next('pong')).observed).toEqual({ ip: '::1', port: a.port });
  });

  it('is answered while JavaScript is busy, and its time is that of the network', async () => {
    const { a, b, peerB } = openPair();
    a.device.ping(peerB, 1, a.via(b));
    const blockedMs = 400;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs);
    expect((await a.next('pong')).rttMs).toBeLessThan(blockedMs / 2);
  });

  it('asks for its answer over the external path too, which proves its own direction', async () => {
    const { a, b, peerA, peerB } = openPair();
    a.device.ping(peerB, 7, a.via(b), { doubly: true });
    const { bytes } = await b.next('outbound');
    expect(await a.next('pong')).toMatchObject({ seq: 7, via: a.via(b) });
    a.device.receiveExternal(peerB, bytes);
    expect(await a.next('pong', ({ via }) => via === 'external')).toMatchObject({
      seq: 7,
      observed: { ip: '127.0.0.1', port: a.port },
    });
    expect(await b.next('ping')).toMatchObject({ peer: peerA, seq: 7 });
    const before = rejected(a.device);
    a.device.receiveExternal(peerB, bytes);
    await until(() => rejected(a.device) === before + 1, 'a third answer to be refused');
  });

  it('goes nowhere without probe keys', () => {
    const { a, b, peerB } = openPair({ probe: undefined });
    expect(a.device.ping(peerB, 1, a.via(b))).toBe(false);
  });
});

describe('a message', () => {
  it('arrives with its bytes', async () => {
    const { a, b, peerA, peerB } = openPair();
    const bytes = Uint8Array.from({ length: 1_200 }, (_, index) => index & 255);
    expect(a.device.sendMessage(peerB, 1, a.via(b), bytes)).toBe(true);
    expect(await b.next('message')).toMatchObject({ peer: peerA, via: b.via(a), bytes });
  });
});

describe('probes on the wire', () => {
  let target: TestDevice;
  let keys: ProbeKeys; // the other end's
  let raw: Socket;
  let answers: Uint8Array[];

  beforeEach(async () => {
    target = openDevice();
    const [near, far] = probeKeys();
    keys = far;
    target.device.addPeer({ publicKey: openDevice().device.publicKey, probe: near });
    raw = createSocket('udp4').bind(0, '127.0.0.1');
    answers = [];
    raw.on('message', (bytes) => answers.push(new Uint8Array(bytes)));
    await once(raw, 'listening');
  });
  afterEach(() => raw.close());

  const send = (bytes: Uint8Array) => raw.send(bytes, target.port, '127.0.0.1');

  it('are what docs/protocol.md says', async () => {
    send(probe(keys.sendKey, 1, 5, ZEROS));
    const answer = await until(() => answers[0], 'a pong');
    const body = new Uint8Array(24);
    const port = raw.address().port;
    body.set([4, 0, port >> 8, port & 255, 127, 0, 0, 1]);
    body.set([0, 60], 20);
    expect(answer).toEqual(probe(keys.receiveKey, 2, 5, body));
  });

  it('are padded for path MTU, and the answer names the size', async () => {
    send(probe(keys.sendKey, 1, 1, new Uint8Array(1_400)));
    const answer = await until(() => answers[0], 'a pong');
    expect(answer).toHaveLength(60);
    expect(new DataView(answer.buffer).getUint16(40)).toBe(1_436);
    const size = 1_300;
    target.device.ping(1, 1, { socket: 0, remote: { ip: '127.0.0.1', port: raw.address().port } }, { size });
    expect(await until(() => answers[1], 'our ping')).toHaveLength(size);
  });

  it('are answered once for each seq, in any order', async () => {
    for (const seq of [10, 9, 10, 9, 11, 10]) send(probe(keys.sendKey, 1, seq, ZEROS));
    await until(() => rejected(target.device) === 3, 'three rejected');
    await settle(target);
    expect(target.of('ping').map(({ seq }) => seq)).toEqual([10, 9, 11]);
    expect(answers).toHaveLength(3);
  });

  it.each([
    ['reflected', () => probe(keys.receiveKey, 1, 1, ZEROS)],
    ['forged', () => probe(keys.sendKey, 1, 1, ZEROS).with(59, 0).with(58, 0).with(57, 0)],
    ['too short', () => probe(keys.sendKey, 1, 1, new Uint8Array(23))],
    ['of an unknown kind', () => probe(keys.sendKey, 4, 1, ZEROS)],
    ['with a seq past 2^53', () => probe(keys.sendKey, 1, 2 ** 53, ZEROS)],
    ['an empty message', () => probe(keys.sendKey, 3, 1, new Uint8Array())],
    ['a long message', () => probe(keys.sendKey, 3, 1, new Uint8Array(1_201))],
    ['a pong nobody asked for', () => probe(keys.sendKey, 2, 1, ZEROS)],
    ['nothing but the mark', () => Uint8Array.of(0xd7)],
  ])('are dropped and counted when %s', async (_name, make) => {
    send(make());
    await until(() => rejected(target.device) === 1, 'one rejected');
    await settle(target);
    expect(answers).toEqual([]);
    expect([...target.of('ping'), ...target.of('pong')]).toEqual([]);
  });

  it('are rejected when their reserved bytes are not zero', async () => {
    const head = probe(keys.sendKey, 1, 1, ZEROS).subarray(0, 44).with(2, 1);
    send(Uint8Array.from([...head, ...mac(keys.sendKey, head)]));
    await until(() => rejected(target.device) === 1, 'one rejected');
  });

  it('take a pong once', async () => {
    target.device.ping(1, 3, { socket: 0, remote: { ip: '127.0.0.1', port: raw.address().port } });
    await until(() => answers[0], 'the ping');
    const pong = probe(keys.sendKey, 2, 3, ZEROS);
    send(pong);
    send(pong);
    await until(() => rejected(target.device) === 1, 'the second rejected');
    expect(target.of('pong')).toHaveLength(1);
  });

  it('keep their replay window when the same keys are set again, and start afresh with new ones', async () => {
    const near = { sendKey: keys.receiveKey, receiveKey: keys.sendKey };
    send(probe(keys.sendKey, 1, 1, ZEROS));
    await target.next('ping');
    target.device.updatePeer(1, { probe: near });
    send(probe(keys.sendKey, 1, 1, ZEROS));
    await until(() => rejected(target.device) === 1, 'the repeat rejected');
    const [fresh, far] = probeKeys();
    target.device.updatePeer(1, { probe: fresh });
    send(probe(far.sendKey, 1, 1, ZEROS));
    await until(() => target.of('ping').length === 2, 'the ping under the new keys');
  });
});
