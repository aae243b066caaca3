import { MainThread } from '../sim/core/thread.ts';
import { NetLab } from '../sim/net/lab.ts';
import { SimRendezvous } from '../sim/ports.ts';
import { SimServer } from '../sim/server.ts';
import { rendezvousContract } from './rendezvous-suite.ts';

rendezvousContract('simulator', async () => {
  const lab = new NetLab();
  const { timeline, random } = lab;
  const address = '203.0.113.1';
  const server = new SimServer({ timeline, random, host: lab.host('server', [address]), address });
  let count = 0;
  return {
    client() {
      const host = lab.host(`client ${++count}`, [`198.51.100.${count}`]);
      return new SimRendezvous(timeline, new MainThread(timeline), host, [server]);
    },
    url: `ws://${address}`,
    deadUrl: 'ws://203.0.113.9',
    drain: () => server.drain(20),
    until: (condition, limitMs) => timeline.until(condition, limitMs),
    close: async () => {},
  };
});
