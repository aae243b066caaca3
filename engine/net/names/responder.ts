/**
 * Sockets that answer about members' names on the tunnel:
 *
 * - a DNS server on this host's virtual address, for this host alone;
 * - LLMNR (RFC 4795) and mDNS (RFC 6762) on the tunnel. This host's own questions are answered for everyone, so that no
 *   member can say who another is; a member's questions only about this host.
 *
 * Nothing leaves by another interface: who asks is looked at first, and multicast answers have TTL 0.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { NamedHost } from '../../names/labels.ts';
import { answer, type Flavour } from '../../names/zone.ts';

const DNS_PORT = 53;
const LLMNR = { group: '224.0.0.252', port: 5355 };
const MDNS = { group: '224.0.0.251', port: 5353 };
/** RFC 1035, section 4.2.1, allows 512; nobody's answer here has more than two addresses. */
const QUERY_BYTES = 1_500;

export interface Names {
  /** This host first. */
  hosts: readonly NamedHost[];
  /** Whether an address is a member's. */
  inRoom(ip: string): boolean;
}

export interface Responder {
  /** Where the DNS server answers. */
  readonly port: number;
  /** Idempotent. */
  close(): void;
}

/** Rejects when the address cannot be had; LLMNR and mDNS that cannot be (a port held alone) are logged and left out. */
export async function startResponder(
  ipv4: string,
  names: () => Names,
  log: (line: string) => void,
): Promise<Responder> {
  const resolver = await bind(ipv4, DNS_PORT).catch(() => bind(ipv4, 0));
  const sockets = [resolver];
  resolver.on('message', (query, from) => {
    if (from.address !== ipv4) return;
    reply(resolver, answer(query.subarray(0, QUERY_BYTES), names().hosts, 'dns'), from.port, from.address);
  });
  for (const [flavour, { group, port }] of [
    ['llmnr', LLMNR],
    ['mdns', MDNS],
  ] as const) {
    try {
      sockets.push(await neighbour(flavour, group, port, ipv4, names));
    } catch (error) {
      log(`${flavour} is left out: ${(error as Error).message}`);
    }
  }
  let open = true;
  return {
    port: resolver.address().port,
    close() {
      if (open) for (const socket of sockets) socket.close();
      open = false;
    },
  };
}

async function neighbour(
  flavour: 'llmnr' | 'mdns',
  group: string,
  port: number,
  ipv4: string,
  names: () => Names,
): Promise<Socket> {
  const socket = await bind('0.0.0.0', port);
  try {
    socket.addMembership(group, ipv4);
    socket.setMulticastInterface(ipv4);
    socket.setMulticastTTL(0);
    socket.setMulticastLoopback(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('message', (query, from) => {
    const { hosts, inRoom } = names();
    const own = from.address === ipv4;
    if (!own && !inRoom(from.address)) return;
    const legacy = flavour === 'mdns' && from.port !== port;
    // What has to be answered by multicast would leave: only this host hears that.
    if (flavour === 'mdns' && !legacy && !own) return;
    const kind: Flavour = legacy ? 'mdns-legacy' : flavour;
    const bytes = answer(query.subarray(0, QUERY_BYTES), own ? hosts : hosts.slice(0, 1), kind);
    if (flavour === 'mdns' && !legacy) reply(socket, bytes, port, group);
    else reply(socket, bytes, from.port, from.address);
  });
  return socket;
}

function bind(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: port !== DNS_PORT && port !== 0 });
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      // A send that fails (the interface went) is a question that nobody answers.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function reply(socket: Socket, bytes: Uint8Array | null, port: RemoteInfo['port'], address: string): void {
  if (bytes !== null && port > 0) socket.send(bytes, port, address, () => {});
}
