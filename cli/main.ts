/** The `warren` command's process: runs it, and ends with its exit code. */
import { systemIo } from './io.ts';
import { run } from './program.ts';

/** Nothing should be alive after a command; if something is, the terminal is given back all the same. */
const LINGER_MS = 1_000;

// A reader that went away (`warren status --watch | head`) is no failure: there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

void run(process.argv.slice(2), systemIo()).then((code) => {
  process.exitCode = code;
  setTimeout(() => process.exit(), LINGER_MS).unref();
});
