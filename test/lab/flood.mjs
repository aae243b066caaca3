/** Sends something to every UDP socket of its namespace but its own, again and again; says at its end how much, and to how many at most. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

/** Every classifier gets its share of nearly right ones: WireGuard's messages, probes, STUN. */
const heads = [[], [1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0], [0xd7, 1, 0, 0], [0, 1], [1, 1]];
const sizes = [1, 20, 32, 64, 92, 148, 1_400];
const socket = createSocket('udp4');
let sent = 0;
let sockets = 0;

function portsOfOthers() {
  const [, ...lines] = readFileSync('/proc/net/udp', 'utf8').trim().split('\n');
  const ports = lines.map((line) => Number.parseInt(line.trim().split(/\s+/)[1].split(':')[1], 16));
  return ports.filter((port) => port !== socket.address().port);
}

function flood() {
  const ports = portsOfOthers();
  sockets = Math.max(sockets, ports.length);
  for (const port of ports) {
    const bytes = randomBytes(sizes[sent % sizes.length]);
    bytes.set(heads[sent % heads.length].slice(0, bytes.length));
    socket.send(bytes, port, '127.0.0.1');
    sent += 1;
  }
}

socket.bind(0, () => setInterval(flood, 50));
process.on('SIGTERM', () => {
  console.log(JSON.stringify({ sent, sockets }));
  process.exit();
});
