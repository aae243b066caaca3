/** A process that runs one of our devices on a system TUN, driven by JSON lines. It runs inside a namespace of the lab. */
import { createInterface } from 'node:readline';

import { Device, type DeviceEvent, type DeviceStats, type Endpoint, openTun, type Path } from 'node-wireguard';

/** The other side. Keys travel as base64. */
export interface PeerSettings {
  publicKey: string;
  presharedKey?: string;
  allowedIps: string[];
  roaming?: boolean;
  initiate?: boolean;
}

export type Command =
  | { do: 'start'; privateKey: string; udpPort: number; addresses: string[]; peer: PeerSettings }
  /** Sends to `to` from the main socket of its family, or from a fresh socket. */
  | { do: 'path'; to: Endpoint; freshSocket?: boolean }
  | { do: 'presharedKey'; key: string }
  | { do: 'report' };

export interface Report {
  /** Completed handshakes so far. */
  handshakes: number;
  /** Where the peer's data came from, each time it moved. */
  moves: Path[];
  failures: string[];
  /** Local port of the socket that was last given a path. */
  port: number;
  stats: DeviceStats;
}

const peer = 1;
let device: Device;
let port = 0;
const report: Omit<Report, 'stats' | 'port'> = { handshakes: 0, moves: [], failures: [] };

function note(event: DeviceEvent): void {
  if (event.type === 'handshake') report.handshakes += 1;
  if (event.type === 'peer-moved') report.moves.push(event.path);
  if (event.type === 'failed' || event.type === 'socket-error') report.failures.push(`${event.type} ${event.code}`);
}

async function start(command: Command & { do: 'start' }): Promise<void> {
  const tun = await openTun();
  await tun.configure({ addresses: command.addresses });
  device = new Device({ privateKey: Buffer.from(command.privateKey, 'base64'), tun, udpPort: command.udpPort });
  device.onEvents((batch) => batch.forEach(note));
  const { publicKey, presharedKey, ...rest } = command.peer;
  const id = device.addPeer({
    ...rest,
    publicKey: Buffer.from(publicKey, 'base64'),
    ...(presharedKey === undefined ? {} : { presharedKey: Buffer.from(presharedKey, 'base64') }),
  });
  if (id !== peer) throw new Error(`the first peer is ${id}`);
}

function setPath({ to, freshSocket }: Command & { do: 'path' }): void {
  const family = to.ip.includes(':') ? 6 : 4;
  const socket = freshSocket ? device.openSockets(1, family)[0] : device.sockets().find((s) => s.family === family);
  if (!socket) throw new Error(`no socket for ${to.ip}`);
  port = socket.port;
  device.setPath(peer, { kind: 'udp', socket: socket.id, to });
}

async function carryOut(command: Command): Promise<Report> {
  if (command.do === 'start') await start(command);
  else if (command.do === 'path') setPath(command);
  else if (command.do === 'presharedKey') {
    device.updatePeer(peer, { presharedKey: Buffer.from(command.key, 'base64') });
  }
  return { ...report, port, stats: device.stats() };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await carryOut(JSON.parse(line) as Command))}\n`);
}
