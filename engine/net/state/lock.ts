/**
 * One engine a state directory. The lock file names its holder: pid, what tells the process from a later one with the
 * same pid, and where it is reached. It appears whole (a link to a finished file) or not at all; after `kill -9` the
 * next engine sees that the holder is gone and takes it over.
 */
import { linkSync, renameSync, rmSync } from 'node:fs';
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
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, record)) return { record, release: () => release(path, record) };
    const holder = readLock(stateDir);
    if (holder !== null && alive(holder)) {
      throw new WarrenError('already-running', `warren is already running here (pid ${holder.pid})`);
    }
    takeAway(path, holder);
  }
  throw new WarrenError('disk', `cannot lock ${path}: it keeps changing`);
}

/** The present record, whether or not its process lives; null when there is none or it is not readable as one. */
export function readLock(stateDir: string): LockRecord | null {
  const bytes = readIfThere(lockPath(stateDir));
  return bytes === null ? null : parse(bytes);
}

/** The record of a living engine. */
export function lockHolder(stateDir: string): LockRecord | null {
  const record = readLock(stateDir);
  return record !== null && alive(record) ? record : null;
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

/**
 * Removes a stale lock. Two starters may find the same one: only one rename of that file succeeds, and whoever caught
 * the other's fresh lock instead puts it back.
 */
function takeAway(path: string, stale: LockRecord | null): void {
  const aside = temporaryName(path);
  try {
    renameSync(path, aside);
    const bytes = readIfThere(aside);
    if (bytes !== null && !same(parse(bytes), stale)) linkSync(aside, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw diskError('replace', path, error);
  } finally {
    rmSync(aside, { force: true });
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
