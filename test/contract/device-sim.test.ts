import { SimDevice } from '../sim/device.ts';
import { MainThread } from '../sim/core/thread.ts';
import { NetLab } from '../sim/net/lab.ts';
import type { Host } from '../sim/net/host.ts';
import { type DeviceHarness, deviceContract, type MemoryDevice } from './device-suite.ts';

deviceContract('simulator', (): DeviceHarness => {
  const lab = new NetLab();
  const hosts = new Map<MemoryDevice, Host>();
  let count = 0;
  const nextHost = () => lab.host(`host ${++count}`, [`198.51.100.${count}`], { delayMs: 1 });
  return {
    create(privateKey) {
      const host = nextHost();
      const { timeline, random } = lab;
      const device = new SimDevice({ timeline, random, host, thread: new MainThread(timeline), privateKey });
      hosts.set(device, host);
      return device;
    },
    endpoint: (device, socket) => ({
      ip: hosts.get(device)?.addresses()[0]?.ip as string,
      port: device.sockets().find(({ id }) => id === socket)?.port as number,
    }),
    async raw() {
      const host = nextHost();
      const socket = lab.socket(host);
      return {
        endpoint: { ip: host.addresses()[0]?.ip as string, port: socket.port },
        received: socket.received,
        send: (to, bytes) => void socket.send(to, bytes),
      };
    },
    until: (condition, limitMs) => lab.timeline.until(condition, limitMs),
    pass: (ms) => lab.timeline.runFor(ms),
    close: async () => {},
  };
});
