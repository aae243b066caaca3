/** What the system knows of a NAT64: whether one is needed at all, and its resolver's answer. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { IPV4_ONLY_NAME } from '../../core/candidates/nat64.ts';
import type { ClockPort, Nat64Port } from '../../ports.ts';

/** Hosts on the Internet, for the kernel to find a way to. Nothing is ever sent there: connecting UDP is silent. */
const SOMEWHERE = { udp4: '198.51.100.1', udp6: '2001:db8::1' } as const;
const SOME_PORT = 9;
/** The resolver answered that there is no such record. */
const NO_RECORD = ['ENOTFOUND', 'ENODATA'];

export const systemNat64: Nat64Port = {
  async addresses() {
    if ((await leadsOut('udp4')) || !(await leadsOut('udp6'))) return [];
    try {
      const found = await lookup(IPV4_ONLY_NAME, { family: 6, all: true });
      return found.map(({ address }) => address);
    } catch (error) {
      if (NO_RECORD.includes(String((error as NodeJS.ErrnoException).code))) return [];
      throw error;
    }
  },
};

/** A start is over by then; later the network may be another one. */
const START_MS = 1_000;

/** Asks at once, so that the answer is there when a start wants it in several places; later it asks anew each time. */
export function askedAtStart(port: Nat64Port, clock: Pick<ClockPort, 'now'>): Nat64Port {
  const startedAt = clock.now();
  const first = port.addresses();
  // Whoever asks hears of a failure; nobody may.
  first.catch(() => undefined);
  return { addresses: () => (clock.now() - startedAt < START_MS ? first : port.addresses()) };
}

/** Whether there is a route to the Internet in this family. */
function leadsOut(type: keyof typeof SOMEWHERE): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    const settle = (found: boolean): void => {
      socket.removeAllListeners();
      socket.close();
      resolve(found);
    };
    socket.once('error', () => settle(false));
    socket.once('connect', () => settle(true));
    socket.connect(SOME_PORT, SOMEWHERE[type]);
  });
}
