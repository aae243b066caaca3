/** The `warren` command as a child, through its launcher. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);
const command = fileURLToPath(new URL('cli/warren', root));

if (!existsSync(new URL('build/cli/main.js', root))) throw new Error('not built: run npm run build before these tests');

export interface Finished {
  code: number | null;
  out: string;
  err: string;
}

export class Warren {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly lines: string[] = [];
  readonly finished: Promise<Finished>;
  #err = '';

  constructor(words: string[], env: Record<string, string> = {}) {
    // This host's router is nobody's to ask.
    const clean = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', WARREN_PORT_MAPPING: 'off', ...env };
    this.child = spawn(process.execPath, [command, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env: clean });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.lines.push(line));
    this.child.stderr.on('data', (chunk) => {
      this.#err += String(chunk);
    });
    this.finished = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      out: this.lines.join('\n'),
      err: this.#err,
    }));
  }

  get err(): string {
    return this.#err;
  }
}

export function warren(...words: string[]): Promise<Finished> {
  return new Warren(words).finished;
}
