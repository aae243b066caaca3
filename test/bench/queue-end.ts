/** One end of tunnels of ours to several peers, by its command line (JSON); ends with its standard input. */
import { Device, openTun } from 'node-wireguard';

export interface QueueEndConfig {
  name: string;
  address: string;
  /** Keys in base64. */
  privateKey: string;
  port: number;
  peers: readonly {
    key: string;
    address: string;
    endpoint: { ip: string; port: number };
    /** Null: the path is not measured, and so nothing is paced. */
    probe: { send: string; receive: string } | null;
  }[];
  /** Broadcast goes to all peers. */
  broadcast: string | null;
}

const bytes = (text: string) => Buffer.from(text, 'base64');
const config = JSON.parse(process.argv[2] ?? '') as QueueEndConfig;
const tun = await openTun({ name: config.name, mtu: 1420 });
await tun.configure({ addresses: [config.address] });
const device = new Device({ privateKey: bytes(config.privateKey), tun, udpPort: config.port });
const waiting = new Set<number>();
device.onEvents((batch) => {
  for (const event of batch) if (event.type === 'handshake') waiting.delete(event.peer);
  if (waiting.size === 0) process.stdout.write('ready\n');
});
for (const { key, address, endpoint, probe } of config.peers) {
  const peer = device.addPeer({
    publicKey: bytes(key),
    allowedIps: [`${address}/32`],
    fanout: config.broadcast !== null,
    ...(probe && { probe: { sendKey: bytes(probe.send), receiveKey: bytes(probe.receive) } }),
  });
  waiting.add(peer);
  device.setPath(peer, { kind: 'udp', socket: 0, to: endpoint });
}
if (config.broadcast !== null) device.setFanout({ directedBroadcast: config.broadcast });
process.stdin.on('end', () => void device.close().then(() => process.exit(0)));
process.stdin.resume();
