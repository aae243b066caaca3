/**
 * One engine a state directory. The lock file names its holder: pid, what tells the process from a later one with the
 * same pid, and where it is reached. It appears whole (a link to a finished file) or not at all; after `kill -9` the
 * next engine sees that the holder is gone and takes it over.
 */
import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WarrenError } from '../../../protocol/errors.ts';
import { diskError, privateDirectory, readIfThere, temporaryName, writeSynced } from './files.ts';
import { processIdentity } from './platform.ts';

export interface LockRecord {
  pid: number;
  /** See processIdentity. */
  identity: string;
  /** Path of the control socket. */
  control: string;
}

export interface Lock {
  readonly record: LockRecord;
  /** Idempotent; leaves a lock alone that is no longer ours. */
  release(): void;
}

/** Enough for every racer of a takeover; a file system on which this never ends is broken. */
const ATTEMPTS = 20;

const lockPath = (stateDir: string) => join(stateDir, 'lock');

/** Throws WarrenError: `already-running` while the holder lives, `disk` when the directory cannot be used. */
export function acquireLock(stateDir: string, control: string): Lock {
  privateDirectory(stateDir);
  const path = lockPath(stateDir);
  const record: LockRecord = { pid: process.pid, identity: processIdentity(process.pid) ?? '', control };
  const holder = take(path, record);
  if (holder !== null) throw new WarrenError('already-running', `warren is already running here (pid ${holder.pid})`);
  return { record, release: () => release(path, record) };
}

/** The present record, whether or not its process lives; null when there is none or it is not readable as one. */
export function readLock(stateDir: string): LockRecord | null {
  return read(lockPath(stateDir));
}

/** The record of a living engine. */
export function lockHolder(stateDir: string): LockRecord | null {
  const record = readLock(stateDir);
  return record !== null && alive(record) ? record : null;
}

/** Null when the lock is ours now, otherwise the living process that has it or is about to. */
function take(path: string, record: LockRecord): LockRecord | null {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, record)) return null;
    const holder = read(path);
    if (holder !== null && alive(holder)) return holder;
    const rival = removeStale(path, record);
    if (rival !== null) return rival;
  }
  throw new WarrenError('disk', `cannot lock ${path}: it keeps changing`);
}

/**
 * Removes a stale lock under a lock of its own, so that nobody removes what another has made since they looked. That one too
 * may be stale, of a process that died here. Returns the living process that is at the same, or null.
 */
function removeStale(path: string, record: LockRecord): LockRecord | null {
  const guard = `${path}.takeover`;
  const rival = take(guard, record);
  if (rival !== null) return rival;
  try {
    const bytes = readIfThere(path);
    const holder = bytes === null ? null : parse(bytes);
    if (bytes !== null && (holder === null || !alive(holder))) rmSync(path);
    return null;
  } catch (error) {
    throw diskError('replace', path, error);
  } finally {
    rmSync(guard, { force: true });
  }
}

function read(path: string): LockRecord | null {
  const bytes = readIfThere(path);
  return bytes === null ? null : parse(bytes);
}

function parse(bytes: Uint8Array): LockRecord | null {
  try {
    const { pid, identity, control } = JSON.parse(Buffer.from(bytes).toString()) as Partial<LockRecord>;
    const complete = Number.isSafeInteger(pid) && typeof identity === 'string' && typeof control === 'string';
    return complete ? ({ pid, identity, control } as LockRecord) : null;
  } catch {
    return null;
  }
}

const alive = (record: LockRecord) => processIdentity(record.pid) === record.identity;
const same = (a: LockRecord | null, b: LockRecord | null) => JSON.stringify(a) === JSON.stringify(b);

/** False when somebody else's is there. `link` fails on an existing name, as O_EXCL does, but brings its content. */
function create(path: string, record: LockRecord): boolean {
  const temporary = temporaryName(path);
  try {
    writeSynced(temporary, `${JSON.stringify(record)}\n`);
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw diskError('write', path, error);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function release(path: string, record: LockRecord): void {
  try {
    const bytes = readIfThere(path);
    if (bytes !== null && same(parse(bytes), record)) rmSync(path, { force: true });
  } catch {
    // The directory went away or turned read-only: the next start finds a holder that is gone.
  }
}
