/**
 * Builds the C++ tests of noise/, offload/, queue/ and device/ (no threads, a test clock, no sockets but the loopback's) and
 * prints the binary's path. Rebuilds only what changed. `node scripts/core-tests.mjs`
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OUTPUT = join(ROOT, 'build/test');
const FLAGS = ['-std=c++20', '-O1', '-g', '-Wall', '-Wextra', '-Werror'];

const sourcesIn = (folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(folder, name));

const SOURCES = [
  ...sourcesIn('src/noise'),
  ...sourcesIn('src/offload'),
  ...sourcesIn('src/queue'),
  ...sourcesIn('src/device'),
  ...sourcesIn('src/udp'),
  'src/tun/linux_host_tun.cc',
  'src/tun/linux_host_capture.cc',
  'src/tun/linux_packet_socket.cc',
  'src/tun/linux_status.cc',
  ...sourcesIn('test'),
];

function run(command, args) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', fail);
    child.once('exit', (code) => (code === 0 ? done() : fail(new Error(`${command} ${args.join(' ')}: ${code}`))));
  });
}

/** Objects are named by everything that goes into them: all headers and the one source. */
function headersHash() {
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const folder of ['src/noise', 'src/offload', 'src/queue', 'src/device', 'src/udp', 'src/tun', 'test']) {
    for (const name of readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.h'))) {
      hash.update(readFileSync(join(ROOT, folder, name)));
    }
  }
  return hash.digest();
}

mkdirSync(OUTPUT, { recursive: true });
const headers = headersHash();
const named = (parts, suffix) => {
  const hash = createHash('sha256').update(headers);
  for (const part of parts) hash.update(part);
  return join(OUTPUT, `${hash.digest('hex').slice(0, 20)}${suffix}`);
};
const objects = SOURCES.map((source) => ({ source, object: named([readFileSync(join(ROOT, source))], '.o') }));
const pending = objects.filter(({ object }) => !existsSync(object));
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let next = pending.pop(); next; next = pending.pop()) {
      await run('g++', [...FLAGS, '-c', next.source, '-o', next.object]);
    }
  }),
);
const binary = named(
  objects.map(({ object }) => object),
  '',
);
if (!existsSync(binary)) {
  await run('g++', [...objects.map(({ object }) => object), '-l:libcrypto.a', '-ldl', '-pthread', '-o', binary]);
}
console.log(binary);
