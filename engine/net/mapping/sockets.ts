/** The two UDP sockets towards one gateway. */
import { createSocket, type Socket } from 'node:dgram';
import { PORT_CONTROL_PORT, SSDP_PORT, type Endpoint } from '../../core/mapping/contract.ts';
import { SSDP_GROUP } from '../../core/mapping/ssdp.ts';

export type Received = (from: Endpoint, bytes: Uint8Array) => void;

export interface GatewaySockets {
  /** This host's address towards the gateway. */
  readonly local: string;
  portControl(bytes: Uint8Array): void;
  search(multicast: boolean, bytes: Uint8Array): void;
  close(): void;
}

/** A router is one hop away, and so is every device that should answer a search. */
const MULTICAST_TTL = 1;

/** Null where the gateway cannot be reached at all. Datagrams that cannot be sent are lost like any other. */
export async function openGatewaySockets(
  gateway: string,
  received: { portControl: Received; ssdp: Received },
): Promise<GatewaySockets | null> {
  const control = createSocket('udp4');
  const search = createSocket('udp4');
  const close = (): void => {
    control.close();
    search.close();
  };
  try {
    await connected(control, gateway);
    const local = control.address().address;
    await bound(search, local);
    search.setMulticastInterface(local);
    search.setMulticastTTL(MULTICAST_TTL);
  } catch {
    close();
    return null;
  }
  control.on('message', (bytes, { address: ip, port }) => received.portControl({ ip, port }, bytes));
  search.on('message', (bytes, { address: ip, port }) => received.ssdp({ ip, port }, bytes));
  return {
    local: control.address().address,
    // A connected socket: the kernel drops what comes from elsewhere. A refused port shows as an error of the next send.
    portControl: (bytes) => control.send(bytes, () => {}),
    search: (multicast, bytes) => search.send(bytes, SSDP_PORT, multicast ? SSDP_GROUP : gateway, () => {}),
    close,
  };
}

/** Errors of a socket that stands are lost datagrams. */
function connected(socket: Socket, gateway: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('connect', resolve);
    socket.connect(PORT_CONTROL_PORT, gateway);
  });
}

function bound(socket: Socket, local: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.bind({ address: local, port: 0 }, () => resolve());
  });
}
