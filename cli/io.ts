/** What a command may touch of its process: two streams, the environment, the signals. */
export interface Io {
  /** One line to stdout: results. */
  out(line: string): void;
  /** One line to stderr: what a person should know, never results. */
  err(line: string): void;
  /** A question to stderr, without an end of line. */
  ask(question: string): void;
  readonly env: Record<string, string | undefined>;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly colour: boolean;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP; the second one ends the process on the spot. */
  interrupted(): AbortSignal;
}

export function systemIo(): Io {
  const { env, stdin, stdout, stderr } = process;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    ask: (question) => void stderr.write(question),
    env,
    stdin,
    stdout,
    colour: stdout.isTTY === true && !env.NO_COLOR,
    interrupted: catchSignals,
  };
}

/** 128 + SIGINT, as shells report it. */
const FORCED_EXIT = 130;
let interruption: AbortController | null = null;

function catchSignals(): AbortSignal {
  if (interruption) return interruption.signal;
  const controller = new AbortController();
  interruption = controller;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(FORCED_EXIT);
      controller.abort();
    });
  }
  return controller.signal;
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Resolves after `ms`, or at once when aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
