/**
 * Carries bytes over TCP and compares what arrived: `transfer serve IP`, `transfer send IP BYTES`. The sender prints `same` or
 * `different`. Checksums are not enough: towards the host the device vouches for them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const PORT = 7_000;
const CHUNK_BYTES = 262_144;

const [role, ip = '', bytes = '0'] = process.argv.slice(2);
if (role === 'serve') {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const hash = createHash('sha256');
    socket.on('data', (chunk) => hash.update(chunk));
    socket.on('end', () => socket.end(hash.digest('hex')));
  });
  server.listen(PORT, ip, () => process.stdout.write('ready\n'));
} else {
  const hash = createHash('sha256');
  const socket = connect({ host: ip, port: PORT, allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => (answer += String(text)));
  const answered = new Promise((resolve) => socket.once('end', resolve));
  const content = function* () {
    for (let sent = 0; sent < Number(bytes); sent += CHUNK_BYTES) {
      const chunk = randomBytes(CHUNK_BYTES);
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(Readable.from(content()), socket, { end: true });
  await answered;
  process.stdout.write(answer === hash.digest('hex') ? 'same' : 'different');
  process.exit(0);
}
