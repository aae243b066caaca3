import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import {
  Device,
  type DeviceEvent,
  type DeviceOptions,
  type Path,
  type PeerId,
  type PeerOptions,
  type ProbeKeys,
  type Via,
  type WireguardDevice,
} from 'node-wireguard';

export type EventOf<T extends DeviceEvent['type']> = Extract<DeviceEvent, { type: T }>;

/** A device over a memory TUN on loopback, and everything it told. */
export class TestDevice {
  readonly device: WireguardDevice;
  readonly events: DeviceEvent[] = [];
  readonly #listeners = new Set<(event: DeviceEvent) => void>();

  constructor(options: Partial<DeviceOptions> = {}) {
    this.device = new Device({
      privateKey: randomBytes(32),
      tun: { kind: 'memory' },
      bindAddress: '127.0.0.1',
      // Whatever cores there are: what is tested counts threads.
      cryptoThreads: 0,
      ...options,
    });
    this.device.onEvents((batch) => {
      for (const event of batch) {
        this.events.push(event);
        for (const listener of this.#listeners) listener(event);
      }
    });
  }

  get port(): number {
    return this.device.sockets()[0]?.port ?? 0;
  }

  on(listener: (event: DeviceEvent) => void): void {
    this.#listeners.add(listener);
  }

  of<T extends DeviceEvent['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** The first event of the type that satisfies `wanted`, past or future. */
  async next<T extends DeviceEvent['type']>(type: T, wanted: (event: EventOf<T>) => boolean = () => true) {
    return until(() => this.of(type).find(wanted), `${type} event`);
  }

  /** The way to another device on loopback. */
  to(other: TestDevice): Path {
    return { kind: 'udp', socket: 0, to: { ip: '127.0.0.1', port: other.port } };
  }

  via(other: TestDevice): Via {
    return { socket: 0, remote: { ip: '127.0.0.1', port: other.port } };
  }
}

/** Two devices that know each other as 10.0.0.1 and 10.0.0.2. */
export interface Pair {
  a: TestDevice;
  b: TestDevice;
  /** b as a knows it, and a as b knows it. */
  peerB: PeerId;
  peerA: PeerId;
}

const open: TestDevice[] = [];

export function openDevice(options: Partial<DeviceOptions> = {}): TestDevice {
  const device = new TestDevice(options);
  open.push(device);
  return device;
}

/** For `afterEach`. */
export async function closeDevices(): Promise<void> {
  await Promise.all(open.splice(0).map(({ device }) => device.close()));
}

export function openPair(forA: Partial<PeerOptions> = {}, forB: Partial<PeerOptions> = {}): Pair {
  const a = openDevice();
  const b = openDevice();
  const [aProbe, bProbe] = probeKeys();
  const peerB = a.device.addPeer({
    publicKey: b.device.publicKey,
    allowedIps: ['10.0.0.2/32'],
    probe: aProbe,
    ...forA,
  });
  const peerA = b.device.addPeer({
    publicKey: a.device.publicKey,
    allowedIps: ['10.0.0.1/32'],
    probe: bProbe,
    initiate: false,
    ...forB,
  });
  return { a, b, peerB, peerA };
}

/** A pair with a session over loopback. */
export async function connectPair(forA: Partial<PeerOptions> = {}, forB: Partial<PeerOptions> = {}): Promise<Pair> {
  const pair = openPair(forA, forB);
  pair.b.device.setPath(pair.peerA, pair.b.to(pair.a));
  pair.a.device.setPath(pair.peerB, pair.a.to(pair.b));
  await Promise.all([pair.a.next('handshake'), pair.b.next('handshake')]);
  return pair;
}

export function probeKeys(): [ProbeKeys, ProbeKeys] {
  const [one, two] = [randomBytes(32), randomBytes(32)];
  return [
    { sendKey: one, receiveKey: two },
    { sendKey: two, receiveKey: one },
  ];
}

/** A minimal IPv4 packet (protocol 253, for experiments) with a payload. */
export function packet(from: string, to: string, payload: string): Uint8Array {
  const body = new TextEncoder().encode(payload);
  const out = new Uint8Array(20 + body.length);
  out.set([0x45, 0, out.length >> 8, out.length & 255, 0, 0, 0, 0, 64, 253]);
  out.set(from.split('.').map(Number), 12);
  out.set(to.split('.').map(Number), 16);
  out.set(body, 20);
  return out;
}

/** The same as UDP from port 6112 to port 6112, without a checksum. */
export function datagram(from: string, to: string, payload: string): Uint8Array {
  const length = 8 + payload.length;
  const ports = String.fromCharCode(0x17, 0xe0, 0x17, 0xe0, length >> 8, length & 255, 0, 0);
  const out = packet(from, to, '');
  const whole = new Uint8Array(out.length + length);
  whole.set(out);
  whole.set(Buffer.from(ports + payload, 'latin1'), out.length);
  whole.set([whole.length >> 8, whole.length & 255], 2);
  whole[9] = 17;
  return whole;
}

export function payloadOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(20));
}

/** Waits for a condition; fails after 10 s with what it waited for. */
export async function until<T>(condition: () => T | undefined | false, what: string): Promise<T> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    await delay(2);
  }
  throw new Error(`waited 10 s for ${what}`);
}

/**
 * Waits until `device` has worked off everything that reached its sockets and its external inbox so far: a message of its
 * own, sent last, has come back out. Makes "and nothing else happened" a condition instead of a sleep.
 */
export async function settle(target: TestDevice): Promise<void> {
  const marker = openDevice();
  const [there, here] = probeKeys();
  const peer = target.device.addPeer({ publicKey: marker.device.publicKey, probe: here });
  const back = marker.device.addPeer({ publicKey: target.device.publicKey, probe: there });
  marker.device.sendMessage(back, 1, marker.via(target), Uint8Array.of(1));
  await target.next('message', (event) => event.peer === peer);
  target.device.removePeer(peer);
}
