/** Fetches one accepted file: again from where it was after every break, until its checksum holds. */
import { createWriteStream } from 'node:fs';
import { appendFile, mkdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { freePath } from './file-names.ts';
import { sha256Of } from './outgoing.ts';

/** The sender's end is silent for so long: the connection is dead. */
const SILENCE_MS = 15_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A disk that is full to the last byte breaks other things. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** One bad transfer may be a disk's; two are the sender's. */
const TRIES_OF_A_CHECKSUM = 2;

export type FetchProblem = 'disk-full' | 'disk' | 'damaged';

export interface FetchOptions {
  id: string;
  folder: string;
  name: string;
  /** What is there so far; becomes the file. */
  partPath: string;
  size: number;
  sha256: string;
  /** Where the sender is, null while that is not known. */
  where(): { address: string; port: number } | null;
  /** Resolves when `where` may be worth another try. */
  moved(signal: AbortSignal): Promise<void>;
  progress(done: number, running: boolean): void;
  signal: AbortSignal;
}

export type FetchEnd = { ok: true; path: string } | { ok: false; problem: FetchProblem };

/** Ends with the file, with a problem that trying again cannot help, or by throwing when aborted. */
export async function fetchFile(options: FetchOptions): Promise<FetchEnd> {
  const { partPath, size, signal } = options;
  let pauseMs = FIRST_PAUSE_MS;
  let damaged = 0;
  while (true) {
    signal.throwIfAborted();
    try {
      const have = await sizeOf(partPath);
      await checkSpace(options, size - have);
      // An empty file is a file too.
      await appendFile(partPath, '', { mode: 0o600 });
      const end = await attempt(options, have);
      if (end === 'damaged' && ++damaged >= TRIES_OF_A_CHECKSUM) return { ok: false, problem: 'damaged' };
      if (typeof end === 'object') return { ok: true, path: end.path };
      if ((await sizeOf(partPath)) > have) pauseMs = FIRST_PAUSE_MS;
    } catch (error) {
      const problem = diskProblem(error);
      if (problem) return { ok: false, problem };
    }
    options.progress(await sizeOf(partPath), false);
    await Promise.race([pause(pauseMs, signal), options.moved(signal)]);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One connection. */
async function attempt(options: FetchOptions, have: number): Promise<{ path: string } | 'broken' | 'damaged'> {
  const { id, folder, name, partPath, size, sha256, where, progress, signal } = options;
  const from = where();
  if (from === null) return 'broken';
  const socket = connect({ host: from.address, port: from.port });
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort);
  try {
    socket.on('error', () => {});
    socket.setTimeout(SILENCE_MS, abort);
    if (!(await connected(socket))) return 'broken';
    socket.write(`warren-file 1 ${id} ${have}\n`);
    if (!(await receive(socket, partPath, have, size, (done) => progress(done, true)))) return 'broken';
    if ((await sha256Of(partPath, signal)) !== sha256) {
      await rm(partPath, { force: true });
      return 'damaged';
    }
    const path = freePath(folder, name);
    await rename(partPath, path);
    await new Promise<void>((resolve) => socket.end('ok\n', () => resolve()));
    return { path };
  } finally {
    signal.removeEventListener('abort', abort);
    // What was said must leave before the socket goes.
    if (!socket.writableEnded) socket.destroy();
  }
}

function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
}

/** Appends what comes until the file is whole; false when the connection ends before. Rejects with the disk's error. */
function receive(
  socket: Socket,
  path: string,
  have: number,
  size: number,
  progress: (done: number) => void,
): Promise<boolean> {
  if (have >= size) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
    let done = have;
    const finish = (whole: boolean) => {
      socket.off('data', take);
      file.end(() => resolve(whole));
    };
    const take = (bytes: Buffer) => {
      const wanted = bytes.subarray(0, size - done);
      done += wanted.length;
      progress(done);
      if (!file.write(wanted)) {
        socket.pause();
        file.once('drain', () => socket.resume());
      }
      if (done >= size) finish(true);
    };
    file.once('error', (error) => {
      socket.destroy();
      reject(error);
    });
    socket.on('data', take);
    socket.once('close', () => {
      if (done < size) finish(false);
    });
  });
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found?.size ?? 0;
}

async function checkSpace({ folder, partPath }: FetchOptions, missing: number): Promise<void> {
  await mkdir(dirname(partPath), { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < missing + SPARE_BYTES) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
}

function diskProblem(error: unknown): FetchProblem | null {
  const { code, name } = error as NodeJS.ErrnoException;
  if (name === 'AbortError') throw error;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return 'disk-full';
  return code === undefined || code.startsWith('ECONN') ? null : 'disk';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
