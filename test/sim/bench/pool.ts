/** Jobs spread over worker processes, as many as the machine has cores: a simulated world uses one. */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

export interface PoolOptions {
  /** Default one for each core. */
  workers?: number;
  /** A file to which every result is written as it comes; what it has already is not run again. Default none. */
  keep?: string | undefined;
}

/** A world makes little lasting garbage, and threads that collect it would only take another worker's core. */
const OPTIONS: ForkOptions = {
  serialization: 'advanced',
  execArgv: ['--single-threaded-gc', '--max-semi-space-size=16'],
};

/**
 * Runs `jobs` in processes of `module`, which calls `work`; `done` is called in the order of completion. Rejects when a
 * worker dies, and ends the others. `jobs` may go on for ever: it is asked for a job whenever a worker is free.
 */
export async function inWorkers<Job>(
  module: URL,
  jobs: Iterable<Job>,
  done: (job: Job, result: unknown) => void,
  { workers = availableParallelism(), keep }: PoolOptions = {},
): Promise<void> {
  const kept = keep === undefined ? null : new Kept<Job>(keep);
  const queue = kept === null ? jobs[Symbol.iterator]() : kept.missing(jobs, done);
  const finish = (job: Job, result: unknown) => {
    kept?.add(job, result);
    done(job, result);
  };
  const children = Array.from({ length: workers }, () => fork(fileURLToPath(module), OPTIONS));
  try {
    await Promise.all(children.map((child) => drain(child, queue, finish)));
  } finally {
    for (const child of children) child.kill();
  }
}

/** Results in a file, a line each, so that a run of hours can be ended and taken up again. */
class Kept<Job> {
  readonly #file: string;
  readonly #results = new Map<string, unknown>();

  constructor(file: string) {
    this.#file = file;
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    for (const line of lines.filter((text) => text.endsWith(']'))) {
      const [job, result] = JSON.parse(line) as [Job, unknown];
      this.#results.set(JSON.stringify(job), result);
    }
  }

  *missing(jobs: Iterable<Job>, done: (job: Job, result: unknown) => void): Generator<Job> {
    for (const job of jobs) {
      const result = this.#results.get(JSON.stringify(job));
      if (result === undefined) yield job;
      else done(job, result);
    }
  }

  add(job: Job, result: unknown): void {
    appendFileSync(this.#file, `${JSON.stringify([job, result])}\n`);
  }
}

function drain<Job>(
  child: ChildProcess,
  queue: Iterator<Job>,
  done: (job: Job, result: unknown) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let job: Job;
    const next = () => {
      const { value, done: empty } = queue.next();
      if (empty === true) return resolve();
      job = value as Job;
      child.send(job as object | number);
    };
    child.on('message', (result) => {
      done(job, result);
      next();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(new Error(`a worker ended: ${signal ?? code}, at ${JSON.stringify(job)}`)),
    );
    next();
  });
}

/** In a worker: answers each job with what `run` makes of it, until the parent ends it. */
export function work(run: (job: never) => Promise<unknown>): void {
  process.on('message', (job) => {
    void run(job as never).then((result) => process.send?.(result));
  });
  process.on('disconnect', () => process.exit());
}
