import { randomBytes } from 'node:crypto';

import { x25519 } from '@noble/curves/ed25519.js';
import { afterEach, describe, expect, it } from 'vitest';

import { Device, WireguardError } from 'node-wireguard';
import { closeDevices, connectPair, openDevice, openPair, packet, payloadOf, settle } from './fixture.ts';

afterEach(closeDevices);

describe('two devices on loopback', () => {
  it('handshake and carry packets both ways', async () => {
    const { a, b } = await connectPair();
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'there'));
    b.device.writeTun(packet('10.0.0.2', '10.0.0.1', 'and back'));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('there');
    expect(payloadOf((await a.next('packet')).bytes)).toBe('and back');
    const [peer] = a.device.stats().peers;
    expect(peer).toMatchObject({ rxPackets: 1, txPackets: 1 });
    const now = Number(process.hrtime.bigint()) / 1e6;
    for (const at of [peer?.lastHandshakeAt, peer?.lastReceivedAt]) {
      expect(at).toBeLessThanOrEqual(now);
      expect(at).toBeGreaterThan(now - 10_000);
    }
  });

  it('deliver what was written before the session, in order', async () => {
    const { a, b, peerA, peerB } = openPair();
    for (const text of ['one', 'two', 'three']) a.device.writeTun(packet('10.0.0.1', '10.0.0.2', text));
    b.device.setPath(peerA, b.to(a));
    a.device.setPath(peerB, a.to(b));
    await b.next('packet', ({ bytes }) => payloadOf(bytes) === 'three');
    expect(b.of('packet').map(({ bytes }) => payloadOf(bytes))).toEqual(['one', 'two', 'three']);
  });

  it('hold packets while the path is null and send them when it comes back', async () => {
    const { a, b, peerB } = await connectPair();
    a.device.setPath(peerB, null);
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'held'));
    await settle(b);
    expect(b.of('packet')).toEqual([]);
    a.device.setPath(peerB, a.to(b));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('held');
  });

  it('end with one usable session when both begin at once', async () => {
    const { a, b } = await connectPair({}, { initiate: true });
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'there'));
    b.device.writeTun(packet('10.0.0.2', '10.0.0.1', 'back'));
    await Promise.all([a.next('packet'), b.next('packet')]);
  });

  it('need the same preshared key', async () => {
    const { a, b, peerA, peerB } = openPair({ presharedKey: randomBytes(32) }, { presharedKey: randomBytes(32) });
    b.device.setPath(peerA, b.to(a));
    a.device.setPath(peerB, a.to(b));
    // The responder answers (it cannot know yet); the initiator rejects the answer.
    await expect.poll(() => a.device.stats().datagramsRejected).toBe(1);
    expect([...a.of('handshake'), ...b.of('handshake')]).toEqual([]);
    const shared = randomBytes(32);
    a.device.updatePeer(peerB, { presharedKey: shared });
    b.device.updatePeer(peerA, { presharedKey: shared });
    await Promise.all([a.next('handshake'), b.next('handshake')]); // the schedule tries again after 250 ms
  });

  it('drop what comes from an address that is not the peer’s', async () => {
    const { a, b } = await connectPair();
    a.device.writeTun(packet('10.9.9.9', '10.0.0.2', 'spoofed'));
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'honest'));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('honest');
    expect(b.device.stats().routeMisses).toBe(1);
  });

  it('count packets that no peer owns', async () => {
    const { a } = await connectPair();
    a.device.writeTun(packet('10.0.0.1', '10.0.0.77', 'lost'));
    a.device.writeTun(Uint8Array.of(0x45, 0, 0));
    expect(a.device.stats().routeMisses).toBe(2);
  });

  it('route by the longest prefix, and a prefix moves to its newest owner', async () => {
    const hub = openDevice();
    const [one, two] = [openDevice(), openDevice()];
    for (const [end, allowedIps] of [
      [one, ['10.0.0.0/8', 'fd00::/16']],
      [two, ['10.1.0.0/16']],
    ] as const) {
      const far = end.device.addPeer({ publicKey: hub.device.publicKey, allowedIps: ['0.0.0.0/0'], initiate: false });
      const near = hub.device.addPeer({ publicKey: end.device.publicKey, allowedIps: [...allowedIps] });
      end.device.setPath(far, end.to(hub));
      hub.device.setPath(near, hub.to(end));
      await end.next('handshake');
    }
    hub.device.writeTun(packet('9.9.9.9', '10.2.0.1', 'wide'));
    hub.device.writeTun(packet('9.9.9.9', '10.1.0.1', 'narrow'));
    expect(payloadOf((await one.next('packet')).bytes)).toBe('wide');
    expect(payloadOf((await two.next('packet')).bytes)).toBe('narrow');
    hub.device.updatePeer(1, { allowedIps: ['10.1.0.0/16'] });
    hub.device.writeTun(packet('9.9.9.9', '10.1.0.1', 'moved'));
    await one.next('packet', ({ bytes }) => payloadOf(bytes) === 'moved');
  });

  it('forget a removed peer', async () => {
    const { a, b, peerB } = await connectPair();
    a.device.removePeer(peerB);
    b.device.writeTun(packet('10.0.0.2', '10.0.0.1', 'late'));
    await settle(a);
    expect(a.of('packet')).toEqual([]);
    expect(a.device.stats().peers).toEqual([]);
    expect(() => a.device.setPath(peerB, a.to(b))).toThrow(WireguardError);
  });
});

describe('a device', () => {
  it('derives its public key as others do', () => {
    const privateKey = randomBytes(32);
    expect(openDevice({ privateKey }).device.publicKey).toEqual(x25519.getPublicKey(privateKey));
  });

  it.each([
    ['a short key', () => openDevice({ privateKey: new Uint8Array(31) })],
    ['no options', () => new Device(undefined as never)],
    ['an unknown TUN', () => openDevice({ tun: { kind: 'carpet' } as never })],
    ['a name for an address', () => openDevice({ bindAddress: 'localhost' })],
    ['a port out of range', () => openDevice({ udpPort: 65_536 })],
    ['its own key as a peer', () => ((d) => d.addPeer({ publicKey: d.publicKey }))(openDevice().device)],
    ['a peer of low order', () => openDevice().device.addPeer({ publicKey: new Uint8Array(32) })],
    ['an odd prefix', () => openDevice().device.addPeer({ publicKey: randomBytes(32), allowedIps: ['10.0.0.0/33'] })],
    ['an unknown peer', () => openDevice().device.setPath(9, null)],
    ['an unknown socket', () => openDevice().device.send(77, { ip: '127.0.0.1', port: 9 }, Uint8Array.of(1))],
    ['another family', () => openDevice().device.send(0, { ip: '::1', port: 9 }, Uint8Array.of(1))],
    ['a long packet', () => openDevice().device.writeTun(new Uint8Array(1_421))],
    ['an empty message', () => openDevice().device.sendMessage(1, 1, 'external', new Uint8Array())],
  ])('refuses %s', (_name, call) => {
    expect(call).toThrow(expect.objectContaining({ name: 'WireguardError', code: 'invalid' }));
  });

  it('refuses a port in use', () => {
    const { port } = openDevice();
    expect(() => openDevice({ udpPort: port })).toThrow(expect.objectContaining({ code: 'port-taken' }));
  });

  it('takes the same port for both families', () => {
    const { device } = openDevice({ bindAddress: undefined });
    const [v4, v6] = device.sockets();
    expect(v4).toMatchObject({ id: 0, family: 4 });
    if (v6) expect(v6).toEqual({ id: 1, family: 6, port: v4?.port });
  });
});
