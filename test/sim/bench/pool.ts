/** Jobs spread over worker processes, as many as the machine has cores: a simulated world uses one. */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * Runs `jobs` in processes of `module`, which calls `work`; `done` is called in the order of completion. Rejects when a
 * worker dies, and ends the others. `jobs` may go on for ever: it is asked for a job whenever a worker is free.
 */
export async function inWorkers<Job>(
  module: URL,
  jobs: Iterable<Job>,
  done: (job: Job, result: unknown) => void,
  workers = availableParallelism(),
): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  const children = Array.from({ length: workers }, () => fork(fileURLToPath(module), { serialization: 'advanced' }));
  try {
    await Promise.all(children.map((child) => drain(child, queue, done)));
  } finally {
    for (const child of children) child.kill();
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
