/** Runs a command line in this process: what it says, and its exit code. */
import type { Io } from '../../../cli/io.ts';
import { run } from '../../../cli/program.ts';
import type { Finished } from './launcher.ts';

export async function runHere(words: string[], env: Record<string, string> = {}): Promise<Finished> {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    ask: (question) => void err.push(question),
    env,
    stdin: { isTTY: false } as NodeJS.ReadStream,
    stdout: { isTTY: false } as NodeJS.WriteStream,
    colour: false,
    interrupted: () => new AbortController().signal,
  };
  const code = await run(words, io);
  return { code, out: out.join('\n'), err: err.join('\n') };
}
