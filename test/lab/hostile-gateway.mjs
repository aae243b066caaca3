/**
 * A gateway that means harm, as a process: `node hostile-gateway.mjs GATEWAY_IP ELSEWHERE_IP`, of one family. It answers PCP, NAT-PMP and SSDP
 * with lies, and serves documents that no parser should swallow. What it was asked goes to standard output, a JSON line each.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [gateway, elsewhere] = process.argv.slice(2);
const say = (what, detail) => process.stdout.write(`${JSON.stringify({ what, detail })}\n`);
const PORT = 5_000;
const type = gateway.includes(':') ? 'udp6' : 'udp4';
const host = (ip) => (ip.includes(':') ? `[${ip.replace(/%.*/, '')}]` : ip);

const control = createSocket(type);
control.on('message', (bytes, { port, address }) => {
  const send = (answer) => control.send(answer, port, address);
  send(Buffer.alloc(0));
  send(Buffer.from(bytes.subarray(0, 3)));
  send(Buffer.alloc(1_400, bytes[0]));
  if (bytes[0] === 2) {
    const answer = Buffer.from(bytes);
    answer.writeUInt8(bytes.readUInt8(1) | 0x80, 1);
    answer.writeUInt8(0, 3);
    answer.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), 8);
    if (answer.length >= 60) {
      say('pcp-map');
      answer.writeUInt8(answer.readUInt8(24) ^ 0xff, 24);
      answer.writeUInt32BE(0xffff_ffff, 4);
      answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 8, 8, 8, 8], 44);
    }
    send(answer);
    return;
  }
  say('nat-pmp');
  send(Buffer.from([0, 128, 0, 0, 0, 0, 0, 1, 127, 0, 0, 1]));
});
control.bind(5_351, gateway);

const ssdp = createSocket({ type, reuseAddr: true });
ssdp.on('message', (bytes, { port, address }) => {
  const target = /^ST: (.*)$/m.exec(bytes.toString('latin1'))?.[1];
  if (target === undefined) return;
  say('search');
  const locations = [
    `http://${host(elsewhere)}:${PORT}/elsewhere.xml`,
    `http://${host(gateway)}@${host(elsewhere)}:${PORT}/user.xml`,
    `http://${host(gateway)}:${PORT}/redirect.xml`,
    `http://${host(gateway)}:${PORT}/endless.xml`,
    `http://${host(gateway)}:${PORT}/bomb.xml`,
    `http://${host(gateway)}:${PORT}/deep.xml`,
  ];
  for (const location of locations) {
    ssdp.send(`HTTP/1.1 200 OK\r\nST: ${target}\r\nLOCATION: ${location}\r\n\r\n`, port, address);
  }
  ssdp.send(Buffer.alloc(60_000, 'x'), port, address);
});
ssdp.bind(1_900, gateway);

createServer((request, response) => {
  say('http', request.url);
  if (request.url === '/redirect.xml') {
    response.writeHead(301, { Location: `http://${host(elsewhere)}:${PORT}/redirected.xml` }).end();
  } else if (request.url === '/bomb.xml') {
    const entities = Array.from({ length: 20 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};&e${n};&e${n};">`);
    response.end(`<!DOCTYPE root [<!ENTITY e0 "boom">${entities.join('')}]><root>&e20;</root>`);
  } else if (request.url === '/deep.xml') {
    response.end('<a>'.repeat(20_000));
  } else {
    const pour = () => {
      while (!response.destroyed && response.write('<service>'.repeat(1_000)));
      if (!response.destroyed) response.once('drain', pour);
    };
    pour();
  }
}).listen(PORT, gateway, () => say('ready'));
