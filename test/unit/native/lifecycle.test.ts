import { readdirSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { Device, type DeviceEvent } from 'node-wireguard';
import { afterEach, describe, expect, it } from 'vitest';

import { closeDevices, connectPair, openDevice, openPair, packet, probeKeys, until } from './fixture.ts';

afterEach(closeDevices);

const threads = () => readdirSync('/proc/self/task').length;

/** Descriptors of this process that are sockets, timers, event counters or polls. */
const descriptors = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /socket|timerfd|eventfd|eventpoll/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // the one that listed the directory
    }
  }).length;

describe('close', () => {
  it('leaves no thread and no descriptor', async () => {
    const [threadsBefore, descriptorsBefore] = [threads(), descriptors()];
    const { a } = await connectPair();
    a.device.openSockets(20, 4);
    expect(threads()).toBe(threadsBefore + 2);
    expect(descriptors()).toBeGreaterThan(descriptorsBefore + 20);
    await closeDevices();
    expect(threads()).toBe(threadsBefore);
    expect(descriptors()).toBe(descriptorsBefore);
  });

  it('ends the threads that seal and open, as many as were asked for', async () => {
    const before = threads();
    openDevice({ cryptoThreads: 3 });
    expect(threads()).toBe(before + 1 + 3);
    await closeDevices();
    expect(threads()).toBe(before);
    expect(() => openDevice({ cryptoThreads: 17 })).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('may be called twice, and everything else then throws closed', async () => {
    const { device } = openDevice();
    await device.close();
    await device.close();
    for (const call of [
      () => device.stats(),
      () => device.sockets(),
      () => device.addPeer({ publicKey: new Uint8Array(32) }),
      () => device.setPath(1, null),
      () => device.send(0, { ip: '127.0.0.1', port: 9 }, Uint8Array.of(1)),
      () => device.writeTun(new Uint8Array(20)),
      () => device.onEvents(() => {}),
    ]) {
      expect(call).toThrow(expect.objectContaining({ name: 'WireguardError', code: 'closed' }));
    }
    expect(device.publicKey).toHaveLength(32);
  });

  it('tells nothing any more', async () => {
    const { a, b, peerB } = openPair();
    for (let seq = 1; seq < 100; seq++) a.device.ping(peerB, seq, a.via(b));
    await a.device.close();
    const told = a.events.length;
    await b.next('ping', ({ seq }) => seq === 99);
    expect(a.events).toHaveLength(told);
  });

  it('happens by itself at the end of a worker', async () => {
    const before = threads();
    const addon = new URL('../../../native/build/Release/wireguard.node', import.meta.url).pathname;
    const worker = new Worker(
      `const { Device } = require(${JSON.stringify(addon)});
       const device = new Device({ privateKey: new Uint8Array(32).fill(7), tun: { kind: 'memory' }, bindAddress: '127.0.0.1' });
       device.onEvents(() => {});
       require('node:worker_threads').parentPort.postMessage(device.sockets()[0].port);
       process.exit(0);`,
      { eval: true },
    );
    await new Promise((resolve) => worker.once('exit', resolve));
    await until(() => threads() <= before, 'the threads of the worker and its device to end');
  });
});

describe('events', () => {
  it('beyond the queue are dropped and counted', async () => {
    const small = openDevice({ eventQueueLength: 4 });
    const [probe] = probeKeys();
    const peer = small.device.addPeer({ publicKey: openDevice().device.publicKey, probe });
    // While this loop holds the JavaScript thread nothing is taken from the queue.
    for (let seq = 1; seq <= 10; seq++) small.device.ping(peer, seq, 'external');
    expect(small.device.stats().eventsDropped).toBe(6);
    await until(() => small.of('outbound').length === 4, 'the four that were kept');
    small.device.ping(peer, 11, 'external');
    await until(() => small.of('outbound').length === 5, 'one more');
  });

  it('come in order, many to a call', async () => {
    const batches: DeviceEvent[][] = [];
    const device = new Device({
      privateKey: new Uint8Array(32).fill(9),
      tun: { kind: 'memory' },
      bindAddress: '127.0.0.1',
    });
    try {
      const other = openDevice();
      const probe = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(2) };
      const peer = device.addPeer({ publicKey: other.device.publicKey, probe });
      for (let seq = 1; seq <= 1_000; seq++) device.ping(peer, seq, 'external');
      // What came before there was a listener waits for it.
      device.onEvents((batch) => batches.push(batch));
      await until(() => batches.flat().length === 1_000, 'all events');
      expect(batches.length).toBeLessThan(10);
      const seqs = batches
        .flat()
        .map((event) => (event.type === 'outbound' ? event.bytes[12]! + event.bytes[13]! * 256 : 0));
      expect(seqs).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    } finally {
      await device.close();
    }
  });

  it('that a listener throws on do not stop the next ones', async () => {
    const { a, b } = await connectPair();
    const caught: unknown[] = [];
    const original = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => caught.push(error));
    try {
      let calls = 0;
      b.device.onEvents(() => {
        calls++;
        throw new Error('listener');
      });
      a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'one'));
      await until(() => calls === 1, 'the first call');
      a.device.writeTun(packet('10.0.0.1', '10.0.0.2', 'two'));
      await until(() => calls === 2, 'the second call');
      expect(caught).toHaveLength(2);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of original) process.on('uncaughtException', listener);
    }
  });
});
