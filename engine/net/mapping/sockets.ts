/** The two UDP sockets towards one gateway. */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { parseAddress } from '../../core/candidates/address.ts';
import { type Endpoint, PORT_CONTROL_PORT, SSDP_PORT } from '../../core/mapping/contract.ts';
import { SSDP_GROUP, SSDP_GROUP_IPV6 } from '../../core/mapping/ssdp.ts';

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

/** A host on the Internet, for the kernel to choose a source for. Nothing is ever sent there: connecting UDP is silent. */
const SOMEWHERE_IPV6 = '2001:db8::1';

/** Null where the gateway cannot be reached at all. Datagrams that cannot be sent are lost like any other. */
export async function openGatewaySockets(
  gateway: string,
  received: { portControl: Received; ssdp: Received },
): Promise<GatewaySockets | null> {
  const ipv6 = gateway.includes(':');
  const type = ipv6 ? 'udp6' : 'udp4';
  const control = createSocket(type);
  const search = createSocket(type);
  const close = (): void => {
    control.close();
    search.close();
  };
  let local: string;
  try {
    if (ipv6) await bound(control, await globalAddress());
    await connected(control, PORT_CONTROL_PORT, gateway);
    local = control.address().address;
    await bound(search, local);
    search.setMulticastInterface(ipv6 ? multicastInterface(gateway, local) : local);
    search.setMulticastTTL(MULTICAST_TTL);
  } catch {
    close();
    return null;
  }
  const group = ipv6 ? SSDP_GROUP_IPV6 : SSDP_GROUP;
  control.on('message', (bytes, { address: ip, port }) => received.portControl({ ip, port }, bytes));
  search.on('message', (bytes, { address: ip, port }) => received.ssdp({ ip, port }, bytes));
  return {
    local,
    // A connected socket: the kernel drops what comes from elsewhere. A refused port shows as an error of the next send.
    portControl: (bytes) => control.send(bytes, () => {}),
    search: (multicast, bytes) => search.send(bytes, SSDP_PORT, multicast ? group : gateway, () => {}),
    close,
  };
}

/** The address that this host has on the IPv6 Internet now. Rejects where it has none. */
export async function globalAddress(): Promise<string> {
  const socket = createSocket('udp6');
  try {
    await connected(socket, PORT_CONTROL_PORT, SOMEWHERE_IPV6);
    const { address } = socket.address();
    if (parseAddress(address)?.scope !== 'global') throw new Error(`${address} is not global`);
    return address;
  } finally {
    socket.close();
  }
}

/** `::%eth0`: multicast leaves by the interface of the gateway. Throws where our own address is another one's. */
function multicastInterface(gateway: string, local: string): string {
  const zone = zoneOf(local);
  const wanted = gateway.split('%')[1] ?? zone;
  if (zone === null || zone !== wanted) throw new Error(`${local} is not on the way to ${gateway}`);
  return `::%${zone}`;
}

/** What tells apart the link-local addresses of this host's interfaces: their names, on Windows their numbers. */
function zoneOf(local: string): string | null {
  const found = Object.entries(networkInterfaces()).find(([, list]) => list?.some(({ address }) => address === local));
  if (found === undefined) return null;
  const [name, list = []] = found;
  if (process.platform !== 'win32') return name;
  const scope = list.map((entry) => (entry.family === 'IPv6' ? entry.scopeid : 0)).find((id) => id > 0);
  return scope === undefined ? null : String(scope);
}

/** Errors of a socket that stands are lost datagrams. */
function connected(socket: Socket, port: number, ip: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('connect', resolve);
    socket.connect(port, ip);
  });
}

function bound(socket: Socket, local: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.bind({ address: local, port: 0 }, () => resolve());
  });
}
