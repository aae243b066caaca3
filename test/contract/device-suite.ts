/**
 * What every DevicePort must do (native/types.ts, docs/protocol.md), held against the native device on loopback and the
 * simulator's on a virtual network. Two devices, A and B, reach each other by UDP; a raw socket plays strangers and STUN.
 */

import type { DeviceStats } from 'node-wireguard';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceEvent, DevicePort, Endpoint } from '../../engine/ports.ts';
import { innerPacket } from '../sim/device/address.ts';
import { Reassembly } from '../sim/device/fragments.ts';

/** DevicePort with a memory TUN, as both implementations have it. */
export interface MemoryDevice extends DevicePort {
  readonly publicKey: Uint8Array;
  writeTun(bytes: Uint8Array): void;
  stats(): DeviceStats;
}

export interface RawSocket {
  endpoint: Endpoint;
  received: { from: Endpoint; bytes: Uint8Array }[];
  send(to: Endpoint, bytes: Uint8Array): void;
}

export interface DeviceHarness {
  create(privateKey: Uint8Array): MemoryDevice;
  /** Where another device reaches this IPv4 socket. */
  endpoint(device: MemoryDevice, socket: number): Endpoint;
  raw(): Promise<RawSocket>;
  /** Lets time pass until the condition holds; false after `limitMs`. */
  until(condition: () => boolean, limitMs: number): Promise<boolean>;
  /** Lets this much time pass. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

type Event<T extends DeviceEvent['type']> = Extract<DeviceEvent, { type: T }>;

interface Side {
  device: MemoryDevice;
  events: DeviceEvent[];
  peer: number;
  ip: string;
  of<T extends DeviceEvent['type']>(type: T): Event<T>[];
  packets(): number[][];
}

/** Long enough for loopback and for the virtual network. */
const SOON_MS = 2_000;
/** Time after which silence counts as an answer. */
const SILENCE_MS = 150;
const KEEPALIVE_BYTES = 32;
const LATE_KEYS = { sendKey: key(0x51), receiveKey: key(0x52) };

function key(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

/** A sealed packet. An empty one, which says that a session stands, may leave beside it. */
function isData({ bytes }: { bytes: Uint8Array }): boolean {
  return bytes[0] === 4 && bytes.length > KEEPALIVE_BYTES;
}

/** The other side's view of one pair of probe keys. */
function mirrored(keys: { sendKey: Uint8Array; receiveKey: Uint8Array }) {
  return { sendKey: keys.receiveKey, receiveKey: keys.sendKey };
}

export function deviceContract(name: string, createHarness: () => DeviceHarness): void {
  describe(`DevicePort contract: ${name}`, () => {
    let harness: DeviceHarness;
    let a: Side;
    let b: Side;

    function side(privateKey: Uint8Array, ip: string): Side {
      const device = harness.create(privateKey);
      const events: DeviceEvent[] = [];
      device.onEvents((batch) => events.push(...batch));
      const of = <T extends DeviceEvent['type']>(type: T) =>
        events.filter((event): event is Event<T> => event.type === type);
      return { device, events, peer: 0, ip, of, packets: () => of('packet').map((event) => [...event.bytes]) };
    }

    /** Mutual peers with probe keys and one preshared key; `initiate` for A only. */
    function introduce(change: { pskOfB?: Uint8Array; initiateA?: boolean } = {}) {
      const probe = { sendKey: key(0x41), receiveKey: key(0x42) };
      a.peer = a.device.addPeer({
        publicKey: b.device.publicKey,
        presharedKey: key(9),
        allowedIps: [`${b.ip}/32`],
        probe,
        initiate: change.initiateA ?? true,
      });
      b.peer = b.device.addPeer({
        publicKey: a.device.publicKey,
        presharedKey: change.pskOfB ?? key(9),
        allowedIps: [`${a.ip}/32`],
        probe: mirrored(probe),
        initiate: false,
      });
    }

    const to = (target: Side, socket = 0) => harness.endpoint(target.device, socket);
    const udp = (target: Side) => ({ kind: 'udp' as const, socket: 0, to: to(target) });
    const packet = (from: Side, target: Side, text: string) =>
      innerPacket(from.ip, target.ip, new TextEncoder().encode(text));
    const soon = (condition: () => boolean) => harness.until(condition, SOON_MS);

    function connect() {
      introduce();
      b.device.setPath(b.peer, udp(a));
      a.device.setPath(a.peer, udp(b));
    }

    /** Hands what leaves by external paths to the other side, as a relay does; ends with the harness. */
    function relay() {
      let [seenA, seenB] = [0, 0];
      return () => {
        for (const event of a.of('outbound').slice(seenA)) b.device.receiveExternal(b.peer, event.bytes);
        seenA = a.of('outbound').length;
        for (const event of b.of('outbound').slice(seenB)) a.device.receiveExternal(a.peer, event.bytes);
        seenB = b.of('outbound').length;
      };
    }

    beforeEach(() => {
      harness = createHarness();
      a = side(key(0x11), '10.64.0.1');
      b = side(key(0x22), '10.64.0.2');
    });

    afterEach(async () => {
      await a.device.close();
      await b.device.close();
      await harness.close();
    });

    describe('sockets', () => {
      test('0 is the IPv4 main socket; extra ones get fresh ids and ports, and close once', () => {
        const main = a.device.sockets().find((socket) => socket.id === 0);
        expect(main?.family).toBe(4);
        const extra = a.device.openSockets(8, 4);
        expect(new Set(extra.map((socket) => socket.id)).size).toBe(8);
        expect(new Set([main?.port, ...extra.map((socket) => socket.port)]).size).toBe(9);
        const ids = extra.map((socket) => socket.id);
        a.device.closeSockets(ids);
        a.device.closeSockets(ids);
        a.device.closeSockets([0]);
        expect(a.device.sockets().filter((socket) => ids.includes(socket.id))).toEqual([]);
        expect(a.device.sockets().some((socket) => socket.id === 0)).toBe(true);
      });

      test('to send from a closed socket is a mistake of the caller', () => {
        const [extra] = a.device.openSockets(1, 4);
        const id = extra?.id as number;
        expect(a.device.send(id, to(b), new Uint8Array([0xff]))).toBe(true);
        a.device.closeSockets([id]);
        expect(() => a.device.send(id, to(b), new Uint8Array([0xff]))).toThrow();
      });
    });

    describe('probes', () => {
      test('a ping is seen there and answered, and the pong tells what was observed', async () => {
        introduce();
        expect(a.device.ping(a.peer, 1, { socket: 0, remote: to(b) })).toBe(true);
        expect(await soon(() => a.of('pong').length > 0 && b.of('ping').length > 0)).toBe(true);
        expect(b.of('ping')[0]).toMatchObject({ peer: b.peer, seq: 1, via: { socket: 0, remote: to(a) } });
        const pong = a.of('pong')[0];
        expect(pong).toMatchObject({ peer: a.peer, seq: 1, via: { socket: 0, remote: to(b) }, observed: to(a) });
        expect(pong?.rttMs).toBeGreaterThanOrEqual(0);
      });

      test('goes by any socket, to any socket', async () => {
        introduce();
        const own = a.device.openSockets(1, 4)[0]?.id as number;
        const theirs = b.device.openSockets(1, 4)[0]?.id as number;
        a.device.ping(a.peer, 1, { socket: own, remote: to(b, theirs) }, { size: 1_200 });
        expect(await soon(() => a.of('pong').length > 0)).toBe(true);
        expect(b.of('ping')[0]?.via).toEqual({ socket: theirs, remote: to(a, own) });
      });

      test('a repeated seq is dropped', async () => {
        introduce();
        a.device.ping(a.peer, 5, { socket: 0, remote: to(b) });
        expect(await soon(() => a.of('pong').length > 0)).toBe(true);
        a.device.ping(a.peer, 5, { socket: 0, remote: to(b) });
        a.device.ping(a.peer, 6, { socket: 0, remote: to(b) });
        expect(await soon(() => a.of('pong').length > 1)).toBe(true);
        expect(b.of('ping').map((event) => event.seq)).toEqual([5, 6]);
      });

      test('a stranger is not answered', async () => {
        introduce();
        a.device.updatePeer(a.peer, { probe: LATE_KEYS });
        a.device.ping(a.peer, 1, { socket: 0, remote: to(b) });
        await harness.pass(SILENCE_MS);
        expect(b.of('ping')).toEqual([]);
        expect(a.of('pong')).toEqual([]);
        expect(b.device.stats().datagramsRejected).toBeGreaterThan(0);
      });

      test('fresh keys begin at seq 1 again', async () => {
        introduce();
        a.device.ping(a.peer, 9, { socket: 0, remote: to(b) });
        expect(await soon(() => a.of('pong').length === 1)).toBe(true);
        a.device.updatePeer(a.peer, { probe: LATE_KEYS });
        b.device.updatePeer(b.peer, { probe: mirrored(LATE_KEYS) });
        a.device.ping(a.peer, 1, { socket: 0, remote: to(b) });
        expect(await soon(() => a.of('pong').length === 2)).toBe(true);
      });

      test('a removed peer is a stranger', async () => {
        introduce();
        b.device.removePeer(b.peer);
        a.device.ping(a.peer, 1, { socket: 0, remote: to(b) });
        await harness.pass(SILENCE_MS);
        expect(a.of('pong')).toEqual([]);
      });

      test('travels by an external path, where nobody observes anything', async () => {
        introduce();
        const pump = relay();
        a.device.ping(a.peer, 1, 'external');
        const answered = () => {
          pump();
          return a.of('pong').length > 0;
        };
        expect(await soon(answered)).toBe(true);
        expect(b.of('ping')[0]?.via).toBe('external');
        expect(a.of('pong')[0]).toMatchObject({ via: 'external', observed: null, seq: 1 });
      });

      test('new addresses are answered as often as that is allowed, others always', async () => {
        introduce();
        b.device.allowNewRemotes(2);
        const own = a.device.openSockets(4, 4).map(({ id }) => id);
        let seq = 0;
        const ask = async (socket: number) => {
          const seen = b.of('ping').length;
          a.device.ping(a.peer, ++seq, { socket, remote: to(b) });
          expect(await soon(() => b.of('ping').length > seen)).toBe(true);
          return b.of('ping').at(-1)?.answer;
        };
        const answers: unknown[] = [];
        for (const socket of own) answers.push(await ask(socket));
        expect(answers).toEqual(['new', 'new', 'refused', 'refused']);
        expect(b.of('ping').map(({ newRemotes }) => newRemotes)).toEqual([1, 2, 2, 2]);
        const [first = 0, , third = 0, last = 0] = own;
        expect(await ask(first)).toBe('known');
        // An address that this side has pinged is not new.
        b.device.ping(b.peer, 1, { socket: 0, remote: to(a, third) });
        expect(await ask(third)).toBe('known');
        b.device.allowNewRemotes(3);
        expect(await ask(last)).toBe('new');
        expect(await soon(() => a.of('pong').length === 5)).toBe(true);
        await harness.pass(SILENCE_MS);
        expect(a.of('pong').map(({ via }) => via !== 'external' && via.socket)).toEqual([
          ...own.slice(0, 2),
          first,
          third,
          last,
        ]);
      });

      test('a refused ping still has the answer by the external path that it asked for', async () => {
        introduce();
        b.device.allowNewRemotes(0);
        const pump = relay();
        a.device.ping(a.peer, 1, { socket: 0, remote: to(b) }, { doubly: true });
        const answered = () => {
          pump();
          return a.of('pong').length > 0;
        };
        expect(await soon(answered)).toBe(true);
        expect(a.of('pong')[0]).toMatchObject({ via: 'external', observed: to(a) });
      });

      test('messages arrive as they were, up to 1,200 bytes', async () => {
        introduce();
        const via = { socket: 0, remote: to(b) };
        expect(() => a.device.sendMessage(a.peer, 1, via, new Uint8Array(1_201))).toThrow();
        const bytes = Uint8Array.from({ length: 1_200 }, (_, i) => i & 255);
        expect(a.device.sendMessage(a.peer, 2, via, bytes)).toBe(true);
        expect(await soon(() => b.of('message').length > 0)).toBe(true);
        expect([...(b.of('message')[0]?.bytes ?? [])]).toEqual([...bytes]);
        expect(b.of('message')[0]).toMatchObject({ peer: b.peer, via: { socket: 0, remote: to(a) } });
      });
    });

    describe('tunnel', () => {
      test('a path and the right to initiate bring a session; data passes both ways', async () => {
        connect();
        expect(await soon(() => a.of('handshake').length > 0 && b.of('handshake').length > 0)).toBe(true);
        a.device.writeTun(packet(a, b, 'hello'));
        b.device.writeTun(packet(b, a, 'hi'));
        expect(await soon(() => a.packets().length > 0 && b.packets().length > 0)).toBe(true);
        expect(b.packets()).toEqual([[...packet(a, b, 'hello')]]);
        expect(a.packets()).toEqual([[...packet(b, a, 'hi')]]);
        const stats = a.device.stats().peers.find((peer) => peer.peer === a.peer);
        expect(stats).toMatchObject({ rxPackets: 1, txPackets: 1 });
        expect(stats?.lastHandshakeAt).not.toBeNull();
      });

      test('where no new address may be answered the response takes the path', async () => {
        introduce();
        b.device.allowNewRemotes(0);
        const pump = relay();
        b.device.setPath(b.peer, { kind: 'external' });
        a.device.setPath(a.peer, udp(b));
        const done = () => {
          pump();
          return a.of('handshake').length > 0 && b.of('handshake').length > 0;
        };
        expect(await soon(done)).toBe(true);
        expect(b.of('outbound').length).toBeGreaterThan(0);
      });

      test('unequal preshared keys bring none', async () => {
        introduce({ pskOfB: key(10) });
        b.device.setPath(b.peer, udp(a));
        a.device.setPath(a.peer, udp(b));
        a.device.writeTun(packet(a, b, 'hello'));
        await harness.pass(600);
        expect([...a.of('handshake'), ...b.of('handshake'), ...b.packets()]).toEqual([]);
      });

      test('who may not initiate waits for data', async () => {
        introduce({ initiateA: false });
        b.device.setPath(b.peer, udp(a));
        a.device.setPath(a.peer, udp(b));
        await harness.pass(SILENCE_MS);
        expect(a.of('handshake')).toEqual([]);
        a.device.writeTun(packet(a, b, 'now'));
        expect(await soon(() => b.packets().length === 1)).toBe(true);
      });

      test('data waits for the path', async () => {
        introduce();
        b.device.setPath(b.peer, udp(a));
        a.device.writeTun(packet(a, b, 'early'));
        await harness.pass(SILENCE_MS);
        expect(b.events).toEqual([]);
        a.device.setPath(a.peer, udp(b));
        expect(await soon(() => b.packets().length === 1)).toBe(true);
      });

      test('a lost first initiation costs 250 ms, not 5 s', async () => {
        introduce();
        b.device.setPath(b.peer, udp(a));
        const raw = await harness.raw();
        a.device.setPath(a.peer, { kind: 'udp', socket: 0, to: raw.endpoint });
        expect(await harness.until(() => raw.received.length >= 2, 1_000)).toBe(true);
        for (const { bytes } of raw.received) expect([bytes[0], bytes.length]).toEqual([1, 148]);
      });

      test('by an external path', async () => {
        introduce();
        const pump = relay();
        b.device.setPath(b.peer, { kind: 'external' });
        a.device.setPath(a.peer, { kind: 'external' });
        a.device.writeTun(packet(a, b, 'relayed'));
        const arrived = () => {
          pump();
          return b.packets().length > 0;
        };
        expect(await soon(arrived)).toBe(true);
        expect(a.of('handshake')).toHaveLength(1);
      });

      test('duplicates leave both ways and are delivered once', async () => {
        connect();
        expect(await soon(() => b.of('handshake').length > 0)).toBe(true);
        const theirs = b.device.openSockets(1, 4)[0]?.id as number;
        a.device.setPath(a.peer, udp(b), { kind: 'udp', socket: 0, to: to(b, theirs) });
        for (let i = 0; i < 20; i++) a.device.writeTun(packet(a, b, `number ${i}`));
        expect(await soon(() => b.packets().length >= 20)).toBe(true);
        await harness.pass(SILENCE_MS);
        expect(b.packets()).toHaveLength(20);
        const raw = await harness.raw();
        a.device.setPath(a.peer, udp(b), { kind: 'udp', socket: 0, to: raw.endpoint });
        a.device.writeTun(packet(a, b, 'both'));
        const duplicates = () => raw.received.filter(isData);
        expect(await soon(() => b.packets().length === 21 && duplicates().length === 1)).toBe(true);
      });

      test('received data never moves the send path', async () => {
        connect();
        expect(await soon(() => b.of('handshake').length > 0)).toBe(true);
        const other = a.device.openSockets(1, 4)[0]?.id as number;
        a.device.setPath(a.peer, { kind: 'udp', socket: other, to: to(b) });
        a.device.writeTun(packet(a, b, 'from elsewhere'));
        expect(await soon(() => b.packets().length === 1)).toBe(true);
        a.device.closeSockets([other]);
        b.device.writeTun(packet(b, a, 'to the old place'));
        expect(await soon(() => a.packets().length === 1)).toBe(true);
        expect(b.of('peer-moved')).toEqual([]);
      });

      test('nobody speaks for another address', async () => {
        connect();
        expect(await soon(() => b.of('handshake').length > 0)).toBe(true);
        a.device.writeTun(innerPacket('10.64.0.9', b.ip, new Uint8Array([1])));
        a.device.writeTun(packet(a, b, 'after'));
        expect(await soon(() => b.packets().length > 0)).toBe(true);
        expect(b.packets()).toEqual([[...packet(a, b, 'after')]]);
      });

      test('what no peer owns is counted, not sent', () => {
        connect();
        a.device.writeTun(innerPacket(a.ip, '10.64.0.77', new Uint8Array([1])));
        expect(a.device.stats().routeMisses).toBe(1);
      });

      test('allowed addresses change with updatePeer', async () => {
        connect();
        a.device.updatePeer(a.peer, { allowedIps: ['10.64.0.50/32'] });
        b.device.updatePeer(b.peer, { allowedIps: [`${a.ip}/32`] });
        a.device.writeTun(packet(a, b, 'nowhere'));
        a.device.writeTun(innerPacket(a.ip, '10.64.0.50', new Uint8Array([7])));
        expect(await soon(() => b.packets().length > 0)).toBe(true);
        expect(b.packets()).toEqual([[...innerPacket(a.ip, '10.64.0.50', new Uint8Array([7]))]]);
      });
    });

    describe('a path with an MTU', () => {
      const long = () =>
        innerPacket(
          a.ip,
          b.ip,
          Uint8Array.from({ length: 1_400 }, (_, i) => (i * 7) & 255),
        );

      test('carries what is longer as fragments that any host joins', async () => {
        connect();
        expect(await soon(() => b.of('handshake').length > 0)).toBe(true);
        a.device.setPath(a.peer, { ...udp(b), mtu: 1_280 });
        a.device.writeTun(long());
        expect(await soon(() => b.packets().length === 2)).toBe(true);
        const host = new Reassembly();
        const joined = b.of('packet').map(({ bytes }) => host.join(bytes));
        expect(joined).toEqual([null, long().subarray(20)]);
      });

      test('carries no datagram that is longer, and fills it to the last byte', async () => {
        connect();
        expect(await soon(() => b.of('handshake').length > 0)).toBe(true);
        const raw = await harness.raw();
        a.device.setPath(a.peer, { kind: 'udp', socket: 0, to: raw.endpoint, mtu: 1_400 });
        for (const payload of [1_320, 1_321, 1_400])
          a.device.writeTun(innerPacket(a.ip, b.ip, new Uint8Array(payload)));
        const data = () => raw.received.filter(isData);
        expect(await soon(() => data().length >= 5)).toBe(true);
        const sizes = data().map(({ bytes }) => bytes.length + 28);
        expect(sizes).toHaveLength(5);
        expect(Math.max(...sizes)).toBe(1_400);
      });
    });

    describe('STUN and strangers', () => {
      const id = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
      const stun = (type: [number, number], transaction = id) =>
        new Uint8Array([...type, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...transaction]);

      test('only the answer to a request of ours comes up', async () => {
        const raw = await harness.raw();
        a.device.send(0, raw.endpoint, stun([0, 1]));
        expect(await soon(() => raw.received.length === 1)).toBe(true);
        expect(raw.received[0]?.from).toEqual(to(a));
        raw.send(to(a), stun([1, 1], id.toReversed()));
        raw.send(to(a), stun([1, 1]));
        expect(await soon(() => a.of('stun').length > 0)).toBe(true);
        await harness.pass(SILENCE_MS);
        expect(a.of('stun')).toHaveLength(1);
        expect(a.of('stun')[0]).toMatchObject({ socket: 0, from: raw.endpoint });
        expect([...(a.of('stun')[0]?.bytes ?? [])]).toEqual([...stun([1, 1])]);
      });

      test('rubbish is counted and changes nothing', async () => {
        introduce();
        const raw = await harness.raw();
        for (let i = 0; i < 50; i++) {
          const bytes = Uint8Array.from({ length: 1 + ((i * 37) % 200) }, (_, j) => (i * 131 + j * 17) & 255);
          bytes[0] = [0xd7, 1, 2, 3, 4, 0, 0xff][i % 7] as number;
          raw.send(to(a), bytes);
        }
        expect(await soon(() => a.device.stats().datagramsRejected >= 50)).toBe(true);
        expect(a.events).toEqual([]);
      });
    });

    test('after close every call says so, and closing again is fine', async () => {
      await a.device.close();
      await a.device.close();
      expect(() => a.device.sockets()).toThrow();
      expect(() => a.device.openSockets(1, 4)).toThrow();
    });
  });
}
