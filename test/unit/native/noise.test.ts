import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { closeDevices, openDevice, packet, payloadOf, type TestDevice, until } from './fixture.ts';
import { cookieReply, Initiator, openCookie, Responder } from './noise.ts';

afterEach(closeDevices);

const KEEPALIVE = new Uint8Array();

describe('against a second implementation of the paper', () => {
  let target: TestDevice;
  let raw: Socket;
  let received: Uint8Array[];
  const ours = randomBytes(32);
  const presharedKey = randomBytes(32);

  beforeEach(async () => {
    received = [];
    raw = createSocket('udp4').bind(0, '127.0.0.1');
    raw.on('message', (bytes) => received.push(new Uint8Array(bytes)));
    await once(raw, 'listening');
    target = openDevice();
  });
  afterEach(() => raw.close());

  const send = (bytes: Uint8Array) => raw.send(bytes, target.port, '127.0.0.1');
  const arrival = (type: number, count = 1) =>
    until(() => received.filter((bytes) => bytes[0] === type)[count - 1], `message ${count} of type ${type}`);

  it.each([
    ['with', presharedKey],
    ['without', undefined],
  ])('the device answers an initiation %s a preshared key', async (_name, psk) => {
    const far = new Initiator({ privateKey: ours, remote: target.device.publicKey, presharedKey: psk });
    const peer = target.device.addPeer({ publicKey: far.publicKey, presharedKey: psk, allowedIps: ['10.0.0.2/32'] });
    send(far.initiation());
    const session = far.finish(await arrival(2));
    send(session.seal(packet('10.0.0.2', '10.0.0.1', 'from outside')));
    expect(payloadOf((await target.next('packet')).bytes)).toBe('from outside');
    expect(await target.next('handshake')).toMatchObject({ peer });
    target.device.setPath(peer, { kind: 'udp', socket: 0, to: { ip: '127.0.0.1', port: raw.address().port } });
    target.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'and back'));
    expect(payloadOf(session.open(await arrival(4)).subarray(0, 28))).toBe('and back');
  });

  it('the device completes a handshake that it began, and confirms it with a keepalive', async () => {
    const far = new Responder({ privateKey: ours, remote: target.device.publicKey, presharedKey });
    const peer = target.device.addPeer({ publicKey: far.publicKey, presharedKey, allowedIps: ['10.0.0.2/32'] });
    target.device.setPath(peer, { kind: 'udp', socket: 0, to: { ip: '127.0.0.1', port: raw.address().port } });
    const { response, session } = far.respond(await arrival(1));
    send(response);
    expect(session.open(await arrival(4))).toEqual(KEEPALIVE);
    await target.next('handshake', (event) => event.peer === peer);
    target.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'hello'));
    const inner = session.open(await arrival(4, 2));
    expect(inner.length % 16).toBe(0); // padded
    expect(payloadOf(inner.subarray(0, 25))).toBe('hello');
  });

  it('the device proves its address with the cookie that it is given', async () => {
    const far = new Responder({ privateKey: ours, remote: target.device.publicKey });
    const peer = target.device.addPeer({ publicKey: far.publicKey });
    target.device.setPath(peer, { kind: 'udp', socket: 0, to: { ip: '127.0.0.1', port: raw.address().port } });
    const first = await arrival(1);
    expect(first.subarray(132)).toEqual(new Uint8Array(16));
    const cookie = randomBytes(16);
    send(cookieReply(far.publicKey, first, cookie));
    const second = await arrival(1, 2);
    expect(far.mac2(second, cookie)).toEqual(second.subarray(132));
  });

  it('the device under load hands out cookies, and takes an initiation that carries one', async () => {
    const far = new Initiator({ privateKey: ours, remote: target.device.publicKey });
    target.device.addPeer({ publicKey: far.publicKey });
    const flood = new Initiator({ privateKey: randomBytes(32), remote: target.device.publicKey }).initiation();
    while (!target.device.stats().underLoad) {
      const before = target.device.stats().datagramsRejected;
      for (let i = 0; i < 20; i++) send(flood);
      await until(
        () => target.device.stats().underLoad || target.device.stats().datagramsRejected >= before + 20,
        'the flood',
      );
    }
    received.length = 0;
    const initiation = far.initiation();
    send(initiation);
    const reply = await until(
      () =>
        received.find((bytes) => bytes[0] === 3 && bytes.subarray(4, 8).every((byte, i) => byte === initiation[4 + i])),
      'our cookie',
    );
    const cookie = openCookie(target.device.publicKey, initiation, reply);
    send(far.initiation({ cookie }));
    far.finish(await arrival(2));
  });

  it.each([
    [
      'a stranger’s initiation',
      () => new Initiator({ privateKey: randomBytes(32), remote: target.device.publicKey }).initiation(),
    ],
    [
      'an initiation for another',
      () => new Initiator({ privateKey: ours, remote: openDevice().device.publicKey }).initiation(),
    ],
    [
      'a broken mac1',
      () => new Initiator({ privateKey: ours, remote: target.device.publicKey }).initiation().with(120, 0).with(121, 0),
    ],
  ])('%s is dropped and counted', async (_name, make) => {
    target.device.addPeer({
      publicKey: new Initiator({ privateKey: ours, remote: target.device.publicKey }).publicKey,
    });
    send(make());
    await until(() => target.device.stats().datagramsRejected === 1, 'one rejected');
    expect(received).toEqual([]);
  });
});
