/** Multicast memberships on the tunnel's interface: without one its system drops what members send to the group. */
import { createSocket } from 'node:dgram';
import type { LanPort } from '../../ports.ts';

export function systemLan(log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void): LanPort {
  return {
    join(groups, address) {
      const socket = createSocket({ type: 'udp4', reuseAddr: true });
      socket.on('error', (error) => log('warn', `multicast on ${address}: ${error.message}`));
      // Any port: the membership is the interface's, whichever socket asked for it.
      socket.bind({ port: 0, address, exclusive: true }, () => {
        for (const group of groups) {
          try {
            socket.addMembership(group, address);
          } catch (error) {
            log('warn', `cannot join ${group} on ${address}: ${(error as Error).message}`);
          }
        }
      });
      socket.unref();
      return closeOnce(socket);
    },
  };
}

function closeOnce(socket: { close(): void }): () => void {
  let open = true;
  return () => {
    if (open) socket.close();
    open = false;
  };
}
