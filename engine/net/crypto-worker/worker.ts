/** The thread's entry: one request a message, answered under its number. */
import { parentPort } from 'node:worker_threads';
import type { CryptoRequest } from '../../core/room/contract.ts';
import { runJob, warmUp } from './jobs.ts';

parentPort?.on('message', ({ id, request }: { id: number; request: CryptoRequest }) => {
  parentPort?.postMessage({ id, result: runJob(request) });
});
warmUp();
