import { afterEach, describe, expect, it } from 'vitest';

import { closeDevices, connectPair, openDevice, payloadOf, settle } from './fixture.ts';

afterEach(closeDevices);

const FROM_PORT = 40_000;

/** A UDP packet; its ports are in front of the payload. */
function udp(from: string, fromPort: number, to: string, toPort: number, payload: string): Uint8Array {
  const body = new TextEncoder().encode(payload);
  const out = new Uint8Array(28 + body.length);
  const view = new DataView(out.buffer);
  out.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17]);
  view.setUint16(2, out.length);
  out.set(from.split('.').map(Number), 12);
  out.set(to.split('.').map(Number), 16);
  view.setUint16(20, fromPort);
  view.setUint16(22, toPort);
  view.setUint16(24, 8 + body.length);
  out.set(body, 28);
  return out;
}

const textOf = (bytes: Uint8Array) => payloadOf(bytes.subarray(8));

describe('the filter of a device', () => {
  it('keeps a member from the ports that rules close, and counts it', async () => {
    const { a, b } = await connectPair();
    b.device.setFilter({ rules: [{ action: 'deny', protocol: 'udp', ports: [[135, 139]] }], otherwise: 'accept' });
    a.device.writeTun(udp('10.0.0.1', FROM_PORT, '10.0.0.2', 137, 'names'));
    a.device.writeTun(udp('10.0.0.1', FROM_PORT, '10.0.0.2', 27_015, 'game'));
    expect(textOf((await b.next('packet')).bytes)).toBe('game');
    expect(b.device.stats().peers[0]).toMatchObject({ filtered: 1, rxPackets: 2 });
  });

  it('lets answers in, and nothing else where everything is closed', async () => {
    const { a, b } = await connectPair();
    a.device.setFilter({ rules: [], otherwise: 'deny' });
    a.device.writeTun(udp('10.0.0.1', FROM_PORT, '10.0.0.2', 27_015, 'question'));
    await b.next('packet');
    b.device.writeTun(udp('10.0.0.2', 27_016, '10.0.0.1', FROM_PORT, 'another'));
    b.device.writeTun(udp('10.0.0.2', 27_015, '10.0.0.1', FROM_PORT, 'answer'));
    await a.next('packet', ({ bytes }) => textOf(bytes) === 'answer');
    expect(a.of('packet')).toHaveLength(1);
  });

  it('judges one peer by its own rules until they are taken back', async () => {
    const { a, b, peerA } = await connectPair();
    b.device.setFilter({ rules: [], otherwise: 'accept', destinations: ['10.0.0.2/32'] });
    b.device.updatePeer(peerA, { filter: { rules: [], otherwise: 'deny' } });
    a.device.writeTun(udp('10.0.0.1', FROM_PORT, '10.0.0.2', 1, 'closed'));
    await settle(b);
    b.device.updatePeer(peerA, { filter: null });
    a.device.writeTun(udp('10.0.0.1', FROM_PORT, '10.0.0.2', 1, 'open'));
    expect(textOf((await b.next('packet')).bytes)).toBe('open');
    b.device.setFilter(null);
    expect(b.device.stats().peers.find(({ peer }) => peer === peerA)?.filtered).toBe(1);
  });

  it.each([
    ['no rules', {}],
    ['an odd verdict', { rules: [], otherwise: 'maybe' }],
    ['an odd protocol', { rules: [{ action: 'deny', protocol: 'ipx' }], otherwise: 'accept' }],
    ['a range backwards', { rules: [{ action: 'deny', ports: [[9, 8]] }], otherwise: 'accept' }],
    ['an odd destination', { rules: [], otherwise: 'accept', destinations: ['home'] }],
  ])('refuses %s', (_name, options) => {
    expect(() => openDevice().device.setFilter(options as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
