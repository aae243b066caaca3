/** One end of a tunnel of ours, with a key and a peer from the command line (JSON); ends with its standard input. */
import { Device, openTun } from 'node-wireguard';

interface EndConfig {
  name: string;
  address: string;
  privateKey: string;
  port: number;
  peerKey: string;
  peerAddress: string;
  peerEndpoint: { ip: string; port: number };
  /** Default: by the cores. */
  cryptoThreads?: number;
}

const config = JSON.parse(process.argv[2] ?? '') as EndConfig;
const tun = await openTun({ name: config.name, mtu: 1420 });
await tun.configure({ addresses: [config.address] });
const { port: udpPort, cryptoThreads } = config;
const privateKey = Buffer.from(config.privateKey, 'base64');
const device = new Device({ privateKey, tun, udpPort, ...(cryptoThreads === undefined ? {} : { cryptoThreads }) });
const peer = device.addPeer({
  publicKey: Buffer.from(config.peerKey, 'base64'),
  allowedIps: [`${config.peerAddress}/32`],
});
device.setPath(peer, { kind: 'udp', socket: 0, to: config.peerEndpoint });
device.onEvents((batch) => {
  if (batch.some((event) => event.type === 'handshake')) process.stdout.write('ready\n');
});
process.stdin.on('end', () => void device.close().then(() => process.exit(0)));
process.stdin.resume();
