import type { PeerId } from 'node-wireguard';
import { afterEach, describe, expect, it } from 'vitest';
import {
  closeDevices,
  connectPair,
  datagram,
  openDevice,
  openPair,
  packet,
  payloadOf,
  settle,
  type TestDevice,
  until,
} from './fixture.ts';

afterEach(closeDevices);

/** A relay in JavaScript: what one side's external path puts out reaches the other. Returns what passed. */
function relay(from: TestDevice, to: TestDevice, peer: PeerId): Uint8Array[] {
  const passed: Uint8Array[] = [];
  from.on((event) => {
    if (event.type !== 'outbound') return;
    passed.push(event.bytes);
    to.device.receiveExternal(peer, event.bytes);
  });
  return passed;
}

describe('an external path', () => {
  it('carries handshake and data between two devices', async () => {
    const { a, b, peerA, peerB } = openPair();
    relay(a, b, peerA);
    relay(b, a, peerB);
    b.device.setPath(peerA, { kind: 'external' });
    a.device.setPath(peerB, { kind: 'external' });
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'by relay'));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('by relay');
    b.device.writeTun(packet('10.0.0.2', '10.0.0.1', 'and back'));
    expect(payloadOf((await a.next('packet')).bytes)).toBe('and back');
  });

  it('says of each packet whether it passes bulk, and nothing of handshakes', async () => {
    const { a, b, peerA, peerB } = openPair();
    relay(a, b, peerA);
    relay(b, a, peerB);
    b.device.setPath(peerA, { kind: 'external' });
    a.device.setPath(peerB, { kind: 'external' });
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'begin'));
    await b.next('packet');
    expect(a.of('outbound')[0]?.express).toBeUndefined();
    const marked = packet('10.0.0.1', '10.0.0.2', 'c'.repeat(900));
    marked[1] = 46 << 2;
    const packets = [packet('10.0.0.1', '10.0.0.2', 'a'), packet('10.0.0.1', '10.0.0.2', 'b'.repeat(900)), marked];
    const before = a.of('outbound').length;
    for (const one of packets) a.device.writeTun(one);
    await until(() => a.of('outbound').length === before + packets.length, 'all of them');
    expect(
      a
        .of('outbound')
        .slice(before)
        .map(({ express }) => express),
    ).toEqual([true, false, true]);
  });

  it('answers a ping the way it came, with no observed address', async () => {
    const { a, b, peerA, peerB } = openPair();
    relay(a, b, peerA);
    relay(b, a, peerB);
    a.device.ping(peerB, 1, 'external');
    expect(await a.next('pong')).toMatchObject({ peer: peerB, via: 'external', seq: 1, observed: null });
    expect(await b.next('ping')).toMatchObject({ peer: peerA, via: 'external', seq: 1 });
  });

  it('turns into a direct one without a new handshake', async () => {
    const { a, b, peerA, peerB } = openPair();
    relay(a, b, peerA);
    relay(b, a, peerB);
    b.device.setPath(peerA, { kind: 'external' });
    a.device.setPath(peerB, { kind: 'external' });
    await b.next('handshake');
    a.device.setPath(peerB, a.to(b));
    const relayed = a.of('outbound').length;
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'direct'));
    await b.next('packet');
    expect(a.of('outbound')).toHaveLength(relayed);
    expect(a.of('handshake')).toHaveLength(1);
  });
});

describe('a duplicate path', () => {
  it('carries the same sealed bytes, and the receiver delivers them once', async () => {
    const { a, b, peerA, peerB } = await connectPair();
    const copies = relay(a, b, peerA);
    a.device.setPath(peerB, a.to(b), { kind: 'external' });
    for (const text of ['one', 'two', 'three']) a.device.writeTun(packet('10.0.0.1', '10.0.0.2', text));
    await expect.poll(() => copies.length).toBe(3);
    await b.next('packet', ({ bytes }) => payloadOf(bytes) === 'three');
    await settle(b);
    await expect.poll(() => b.device.stats().datagramsRejected).toBe(3);
    expect(b.of('packet').map(({ bytes }) => payloadOf(bytes))).toEqual(['one', 'two', 'three']);
  });
});

describe('a path after data from elsewhere', () => {
  /** b's packets now leave by another socket, so a sees them from a new port. */
  async function moveB(roaming: boolean) {
    const pair = await connectPair({ roaming });
    const { a, b, peerA } = pair;
    const [extra] = b.device.openSockets(1, 4);
    if (!extra) throw new Error('no socket');
    b.device.setPath(peerA, { kind: 'udp', socket: extra.id, to: { ip: '127.0.0.1', port: a.port } });
    b.device.writeTun(packet('10.0.0.2', '10.0.0.1', 'from elsewhere'));
    await a.next('packet');
    return { ...pair, extra };
  }

  it('follows a roaming peer', async () => {
    const { a, b, peerB, extra } = await moveB(true);
    const to = { ip: '127.0.0.1', port: extra.port };
    expect(await a.next('peer-moved', ({ path }) => path.kind === 'udp' && path.to.port === extra.port)).toEqual({
      type: 'peer-moved',
      peer: peerB,
      path: { kind: 'udp', socket: 0, to },
    });
    b.device.closeSockets([extra.id]);
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'to the closed socket'));
    await settle(b);
    expect(b.of('packet')).toEqual([]);
  });

  it('stays for any other peer', async () => {
    const { a, b, extra } = await moveB(false);
    b.device.closeSockets([extra.id]);
    a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'by the old path'));
    expect(payloadOf((await b.next('packet')).bytes)).toBe('by the old path');
    expect(a.of('peer-moved')).toEqual([]);
  });
});

/** A host with three members, of which two take part in fan-out. */
async function room() {
  const host = openDevice();
  const members = [openDevice(), openDevice(), openDevice()];
  for (const [index, member] of members.entries()) {
    const ip = `10.0.0.${index + 2}/32`;
    const peer = host.device.addPeer({
      publicKey: member.device.publicKey,
      allowedIps: [ip],
      fanout: index < 2,
    });
    const back = member.device.addPeer({
      publicKey: host.device.publicKey,
      allowedIps: ['10.0.0.1/32'],
      fanout: true,
      initiate: false,
    });
    member.device.setFanout({ directedBroadcast: '10.0.0.255' });
    member.device.setPath(back, member.to(host));
    host.device.setPath(peer, host.to(member));
    await member.next('handshake');
  }
  return { host, members };
}

/** Behind the UDP header. */
const saidIn = (bytes: Uint8Array) => payloadOf(bytes.subarray(8));

describe('fan-out', () => {
  it.each(['255.255.255.255', '10.0.0.255', '224.0.0.251', '239.255.255.250'])('copies %s to each', async (to) => {
    const { host, members } = await room();
    host.device.setFanout({ directedBroadcast: '10.0.0.255' });
    host.device.writeTun(datagram('10.0.0.1', to, 'who is there?'));
    for (const member of members.slice(0, 2)) {
      expect(saidIn((await member.next('packet')).bytes)).toBe('who is there?');
      expect(member.device.stats().fanout.received).toBe(1);
      expect(member.device.stats().peers[0]?.fanoutReceived).toBe(1);
    }
    await settle(members[2] as TestDevice);
    expect(members[2]?.of('packet')).toEqual([]);
    expect(host.device.stats().fanout).toMatchObject({ sent: 1, copies: 2 });
  });

  it('is off until it is switched on', async () => {
    const { host } = await room();
    host.device.writeTun(datagram('10.0.0.1', '255.255.255.255', 'lost'));
    expect(host.device.stats().routeMisses).toBe(1);
    host.device.setFanout({});
    host.device.writeTun(datagram('10.0.0.1', '10.0.0.255', 'no broadcast address was named'));
    expect(host.device.stats().routeMisses).toBe(2);
    host.device.setFanout(null);
    host.device.writeTun(datagram('10.0.0.1', '255.255.255.255', 'lost'));
    expect(host.device.stats().routeMisses).toBe(3);
  });

  it('brings nothing to a host that has it off', async () => {
    const { host, members } = await room();
    const deaf = members[0] as TestDevice;
    deaf.device.setFanout(null);
    host.device.setFanout({});
    host.device.writeTun(datagram('10.0.0.1', '255.255.255.255', 'who is there?'));
    await members[1]?.next('packet');
    await until(() => deaf.device.stats().fanout.refused === 1, 'the refusal');
    expect(deaf.of('packet')).toEqual([]);
  });

  it('never copies what came from a peer', async () => {
    const { host, members } = await room();
    host.device.setFanout({});
    host.device.writeTun(datagram('10.0.0.2', '255.255.255.255', 'sent back by the host'));
    expect(host.device.stats().fanout.loops).toBe(1);
    for (const member of members) await settle(member);
    expect(members.flatMap((member) => member.of('packet'))).toEqual([]);
  });

  it('shows its owner who said what, on both sides', async () => {
    const { host, members } = await room();
    host.device.setFanout({});
    host.device.writeTun(datagram('10.0.0.1', '255.255.255.255', 'who is there?'));
    const own = await host.next('discovery');
    expect(own).toMatchObject({
      peer: null,
      from: { ip: '10.0.0.1', port: 6112 },
      to: { ip: '255.255.255.255', port: 6112 },
    });
    const theirs = await (members[0] as TestDevice).next('discovery');
    expect(theirs.peer).toBe(1);
    expect(Buffer.from(theirs.bytes).toString()).toBe('who is there?');
  });

  it('bounds a flood, and packets to one member pass it by', async () => {
    const { host, members } = await room();
    host.device.setFanout({});
    for (let i = 0; i < 2_000; i++) host.device.writeTun(datagram('10.0.0.1', '255.255.255.255', `flood ${i}`));
    const { fanout } = host.device.stats();
    expect(fanout.sent).toBeLessThan(1_000);
    expect(fanout.sent + fanout.rateLimited).toBe(2_000);
    const friend = members[0] as TestDevice;
    host.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'a move'));
    await friend.next('packet', ({ bytes }) => payloadOf(bytes) === 'a move');
  });
});
