/** `warren demo`: three members behind three NATs on this machine; a part of the checkout, not of an installation. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WarrenError } from '../../protocol/errors.ts';
import { aborted, type Io } from '../io.ts';

export async function demo(io: Io): Promise<number> {
  const script = fileURLToPath(new URL('../../test/demo/main.js', import.meta.url));
  if (!existsSync(script)) {
    throw new WarrenError('unsupported', 'the demo needs a built checkout: run npm ci in one, then npm start');
  }
  const child = spawn(process.execPath, [script], { stdio: 'inherit' });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(new WarrenError('internal', `the demo does not start: ${error.message}`)));
    child.once('exit', (code) => resolve(code ?? 1));
  });
  // On Ctrl-C the terminal tells the child too, and a second TERM makes it hurry; `kill` tells only us.
  const stopped = aborted(io.interrupted()).then(() => void child.kill('SIGTERM'));
  void stopped;
  return await ended;
}
