/**
 * UDP sockets by remote control, for use inside a namespace. Commands come as JSON lines on standard input, replies and received
 * datagrams leave as JSON lines on standard output. Plain JavaScript: it runs without a build.
 *
 *     {"id":1,"op":"open","label":"x","address":"0.0.0.0","port":0}          -> {"id":1,"port":41234}
 *     {"id":2,"op":"send","label":"x","to":{"address":"…","port":1},"text":"…","ttl":64}  -> {"id":2}
 *     a datagram                                     -> {"label":"x","text":"…","from":{"address":"…","port":1}}
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const sockets = new Map();
const write = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

function open({ id, label, address, port }) {
  const socket = createSocket(address?.includes(':') ? 'udp6' : 'udp4');
  sockets.set(label, socket);
  socket.on('message', (data, from) => {
    write({ label, text: data.toString('latin1'), from: { address: from.address, port: from.port } });
  });
  socket.on('error', (error) => write({ id, error: error.message }));
  socket.bind({ port: port ?? 0, address: address ?? '0.0.0.0' }, () => write({ id, port: socket.address().port }));
}

function send({ id, label, to, text, ttl }) {
  const socket = sockets.get(label);
  if (ttl !== undefined) socket.setTTL(ttl);
  // An ICMP error of an earlier datagram may be reported on this one; what arrives is what counts.
  socket.send(Buffer.from(text, 'latin1'), to.port, to.address, () => write({ id }));
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    if (command.op === 'open') open(command);
    else send(command);
  })
  .on('close', () => process.exit(0));
