import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

import { afterEach, describe, expect, it } from 'vitest';

import { closeDevices, connectPair, openPair, type Pair, settle, type TestDevice } from './fixture.ts';

afterEach(closeDevices);

/** 20 bytes of outer IPv4, 8 of UDP, 32 of WireGuard. */
const OVERHEAD = 60;

/** A whole UDP-like IPv4 packet of `length` bytes with DF, whose payload counts. */
function longPacket(length: number): Uint8Array {
  const out = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
  out.set([0x45, 0, length >> 8, length & 255, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  return out;
}

/** Payload of the one datagram whose fragments these are, in any order. */
function reassembled(fragments: Uint8Array[]): number[] {
  const pieces = fragments.map((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return { at: (view.getUint16(6) & 0x1fff) * 8, id: view.getUint16(4), bytes: bytes.subarray(20) };
  });
  expect(new Set(pieces.map(({ id }) => id)).size).toBe(1);
  const out: number[] = [];
  for (const { at, bytes } of pieces.toSorted((one, other) => one.at - other.at)) {
    expect(out).toHaveLength(at);
    out.push(...bytes);
  }
  return out;
}

const udpTo = (port: number, mtu?: number) =>
  ({ kind: 'udp', socket: 0, to: { ip: '127.0.0.1', port }, ...(mtu ? { mtu } : {}) }) as const;

/** A socket that stands in the way from one device to the other, and counts what passes. */
async function tap(from: TestDevice, to: TestDevice): Promise<{ port: number; sizes: number[]; socket: Socket }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const sizes: number[] = [];
  socket.on('message', (bytes, sender) => {
    if (sender.port !== from.port) return;
    sizes.push(bytes.length);
    socket.send(bytes, to.port, '127.0.0.1');
  });
  return { port: socket.address().port, sizes, socket };
}

async function arriving(pair: Pair, count: number): Promise<Uint8Array[]> {
  await expect.poll(() => pair.b.of('packet').length).toBeGreaterThanOrEqual(count);
  await settle(pair.b);
  return pair.b.of('packet').map(({ bytes }) => bytes);
}

describe('a path with an MTU', () => {
  it.each([1_280, 1_372, 1_400, 1_452, 1_492, 1_500])(
    'of %i carries every size, no datagram longer than it',
    async (mtu) => {
      const pair = await connectPair();
      const between = await tap(pair.a, pair.b);
      pair.a.device.setPath(pair.peerB, udpTo(between.port, mtu));
      const packet = longPacket(1_420);
      pair.a.device.writeTun(packet);
      const fits = 1_420 <= mtu - OVERHEAD;
      const packets = await arriving(pair, fits ? 1 : 2);
      between.socket.close();
      expect(packets).toHaveLength(fits ? 1 : 2);
      expect(reassembled(packets)).toEqual([...packet.subarray(20)]);
      expect(Math.max(...between.sizes)).toBeLessThanOrEqual(mtu - 28);
    },
  );

  it('cuts what waited for the session, too', async () => {
    const pair = openPair();
    pair.a.device.writeTun(longPacket(1_400));
    pair.b.device.setPath(pair.peerA, pair.b.to(pair.a));
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_280));
    expect(reassembled(await arriving(pair, 2))).toEqual([...longPacket(1_400).subarray(20)]);
  });

  it('is as narrow as its duplicate, because the same bytes leave over both', async () => {
    const pair = await connectPair();
    const between = await tap(pair.a, pair.b);
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_500), udpTo(between.port, 1_280));
    pair.a.device.writeTun(longPacket(1_400));
    expect(await arriving(pair, 2)).toHaveLength(2);
    between.socket.close();
    expect(Math.max(...between.sizes)).toBeLessThanOrEqual(1_252);
  });

  it('may be told again without a new handshake', async () => {
    const pair = await connectPair();
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_280));
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port));
    pair.a.device.writeTun(longPacket(1_420));
    expect(await arriving(pair, 1)).toHaveLength(1);
    expect(pair.a.of('handshake')).toHaveLength(1);
  });

  it('counts what cannot be cut as dropped', async () => {
    const pair = await connectPair();
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_280));
    const beyond = longPacket(1_400);
    beyond.set([0x3f, 0xff], 6);
    pair.a.device.writeTun(beyond);
    expect(pair.a.device.stats().txDropped).toBe(1);
  });
});

describe('a roaming peer', () => {
  it('gets packets for a path of 1,280 until its owner names another MTU', async () => {
    const pair = await connectPair({ roaming: true });
    pair.a.device.writeTun(longPacket(1_400));
    expect(await arriving(pair, 2)).toHaveLength(2);
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_500));
    pair.a.device.writeTun(longPacket(1_400));
    expect(await arriving(pair, 3)).toHaveLength(3);
  });
});

describe('TCP', () => {
  /** A SYN that announces 1,460; checksums are not looked at here. */
  function syn(from: string, to: string): Uint8Array {
    const out = new Uint8Array(44);
    out.set([0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    out.set(from.split('.').map(Number), 12);
    out.set(to.split('.').map(Number), 16);
    out.set([0x60, 0x02], 32);
    out.set([2, 4, 0x05, 0xb4], 40);
    return out;
  }
  const announced = (bytes: Uint8Array | undefined) => new DataView((bytes ?? new Uint8Array(44)).buffer).getUint16(42);

  it('announces segments that fit, out of the host and into it', async () => {
    const pair = await connectPair();
    pair.a.device.setPath(pair.peerB, udpTo(pair.b.port, 1_280));
    pair.a.device.writeTun(syn('10.0.0.1', '10.0.0.2'));
    expect(announced((await pair.b.next('packet')).bytes.slice())).toBe(1_180);
    pair.b.device.writeTun(syn('10.0.0.2', '10.0.0.1'));
    expect(announced((await pair.a.next('packet')).bytes.slice())).toBe(1_180);
  });
});
