import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Device } from 'node-wireguard';
import { type DeviceHarness, deviceContract, type MemoryDevice, type RawSocket } from './device-suite.ts';

/** Loopback only: every socket is bound to 127.0.0.1. */
const LOOPBACK = '127.0.0.1';

deviceContract('native', (): DeviceHarness => {
  const sockets: ReturnType<typeof createSocket>[] = [];
  return {
    create: (privateKey) =>
      new Device({ privateKey, tun: { kind: 'memory' }, bindAddress: LOOPBACK }) as unknown as MemoryDevice,
    endpoint: (device, socket) => ({
      ip: LOOPBACK,
      port: device.sockets().find(({ id }) => id === socket)?.port as number,
    }),
    async raw() {
      const socket = createSocket('udp4');
      sockets.push(socket);
      const received: RawSocket['received'] = [];
      socket.on('message', (bytes, { address, port }) => {
        received.push({ from: { ip: address, port }, bytes: new Uint8Array(bytes) });
      });
      socket.bind(0, LOOPBACK);
      await once(socket, 'listening');
      return {
        endpoint: { ip: LOOPBACK, port: socket.address().port },
        received,
        send: (to, bytes) => socket.send(bytes, to.port, to.ip),
      };
    },
    async until(condition, limitMs) {
      const end = performance.now() + limitMs;
      while (!condition()) {
        if (performance.now() > end) return condition();
        await delay(2);
      }
      return true;
    },
    pass: (ms) => delay(ms),
    async close() {
      for (const socket of sockets) socket.close();
    },
  };
});
