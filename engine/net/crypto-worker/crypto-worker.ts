/** CryptoPort in the world: CPace in a worker thread, scrypt on Node's thread pool. */
import { scrypt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { CryptoRequest, CryptoResult } from '../../core/room/contract.ts';
import type { CryptoPort } from '../../ports.ts';
import { runJob, scryptOptions } from './jobs.ts';

/**
 * Starts the thread at once, so that it is warm when the first member comes. It does not keep the process alive.
 * From TypeScript source (tests) there is no file that a thread could load: the same jobs run in process.
 */
export function createCryptoWorker(): CryptoPort {
  return import.meta.url.endsWith('.ts') ? createInlineCrypto() : startWorker();
}

/** Runs every job in process before `run` returns; its promise is settled already (for the simulator). */
export function createInlineCrypto(): CryptoPort {
  return { run: (request) => Promise.resolve(runJob(request)), close: () => {} };
}

/** The thread ends with `close`, which may be called twice; what was under way then is `failed`. */
function startWorker(): CryptoPort {
  const worker = new Worker(new URL('./worker.js', import.meta.url));
  const waiting = new Map<number, (result: CryptoResult) => void>();
  let nextId = 1;
  let alive = true;
  const end = () => {
    alive = false;
    for (const answer of waiting.values()) answer({ kind: 'failed' });
    waiting.clear();
  };
  worker.on('message', ({ id, result }: { id: number; result: CryptoResult }) => {
    waiting.get(id)?.(result);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
  });
  worker.on('error', end);
  worker.on('exit', end);
  worker.unref();
  return {
    run: (request) => {
      if (request.kind === 'scrypt') return runScrypt(request);
      // A thread that died must not take the room with it: its work is done here, slower.
      if (!alive) return Promise.resolve(runJob(request));
      return new Promise((resolve) => {
        const id = nextId++;
        waiting.set(id, resolve);
        worker.ref();
        worker.postMessage({ id, request });
      });
    },
    close: () => {
      end();
      void worker.terminate();
    },
  };
}

function runScrypt(request: Extract<CryptoRequest, { kind: 'scrypt' }>): Promise<CryptoResult> {
  return new Promise((resolve) => {
    scrypt(request.password, request.salt, request.length, scryptOptions(request), (error, key) => {
      resolve(error ? { kind: 'failed' } : { kind: 'scrypt', key: new Uint8Array(key) });
    });
  });
}
