/**
 * A resolver of a network with NAT64, as a process: `node dns64.mjs ADDRESS PREFIX`. It knows one name, ipv4only.arpa, whose
 * A records it answers with AAAA records behind the prefix (RFC 6147; a /96); other names do not exist.
 */
import { createSocket } from 'node:dgram';

const [address, prefix] = process.argv.slice(2);
const AAAA = 28;
const WELL_KNOWN = ['c000:aa', 'c000:ab'];

const server = createSocket('udp6');
server.on('message', (query, { port, address: from }) => {
  const { name, end } = readName(query, 12);
  const type = query.readUInt16BE(end);
  console.log(`${name} ${type}`);
  const known = name === 'ipv4only.arpa';
  const records = known && type === AAAA ? WELL_KNOWN.map((tail) => record(bytesOf(`${prefix}${tail}`))) : [];
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  server.send(Buffer.concat([header, query.subarray(12, end + 4), ...records]), port, from);
});
server.bind(53, address, () => console.log('ready'));

function readName(bytes, at) {
  const labels = [];
  let place = at;
  for (let length = bytes[place]; length > 0; length = bytes[place]) {
    labels.push(bytes.toString('latin1', place + 1, place + 1 + length));
    place += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: place + 1 };
}

/** The question's name by a pointer, class IN, a minute. */
function record(data) {
  const head = Buffer.from([0xc0, 12, 0, AAAA, 0, 1, 0, 0, 0, 60, 0, data.length]);
  return Buffer.concat([head, data]);
}

function bytesOf(ipv6) {
  const [left, right] = ipv6.split('::').map((side) => side.split(':').filter(Boolean));
  const groups = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
