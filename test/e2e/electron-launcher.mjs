#!/usr/bin/env node
/**
 * Starts Electron in a network namespace so that Playwright, which stays outside, can speak to it:
 *
 *     electron-launcher.mjs NAMESPACE ELECTRON [argument...]
 *
 * Playwright reads the addresses of the two debuggers from standard error. They are on the namespace's loopback, so each is
 * replaced by a port out here whose connections a small process in the namespace carries on.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [namespace, electron, ...args] = process.argv.slice(2);
const LISTENING = /^(?:Debugger|DevTools) listening on ws:\/\/127\.0\.0\.1:(\d+)\//;
const CARRY = `
  const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1');
  process.stdin.pipe(socket).pipe(process.stdout);
  socket.on('error', () => process.exit());
  socket.on('close', () => process.exit());
`;

function inside(program, argv, options) {
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'ip', 'netns', 'exec', namespace, program, ...argv], options);
}

/** Resolves with the port out here. */
function forward(port) {
  const server = createServer((socket) => {
    const carrier = inside(process.execPath, ['-e', CARRY, String(port)], { stdio: ['pipe', 'pipe', 'ignore'] });
    socket.pipe(carrier.stdin).on('error', () => socket.destroy());
    carrier.stdout.pipe(socket).on('error', () => carrier.kill());
    socket.on('close', () => carrier.kill());
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
    server.unref();
  });
}

const child = inside(electron, args, { stdio: ['ignore', 'inherit', 'pipe'] });
let written = Promise.resolve();
createInterface({ input: child.stderr }).on('line', (line) => {
  const port = LISTENING.exec(line)?.[1];
  const shown =
    port === undefined ? line : forward(Number(port)).then((here) => line.replace(`:${port}/`, `:${here}/`));
  written = Promise.all([written, shown]).then(([, text]) => process.stderr.write(`${text}\n`));
});
child.on('exit', (code, signal) => {
  void written.then(() => process.exit(signal === null ? code : 128));
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
