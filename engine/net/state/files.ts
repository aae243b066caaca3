/** Files that are either the old or the new content, whatever happens in between. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { WarrenError } from '../../../protocol/errors.ts';

const CAUSES: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'no permission',
  EPERM: 'no permission',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'a directory is in the way',
  EFBIG: 'the file size limit is reached',
};

/** A file system error as `disk`, in words. */
export function diskError(what: string, path: string, error: unknown): WarrenError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  return new WarrenError('disk', `cannot ${what} ${path}: ${CAUSES[code] ?? code}`, { cause: error });
}

/** Null when there is no such file. Throws WarrenError('disk'). */
export function readIfThere(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw diskError('read', path, error);
  }
}

/**
 * Writes beside the file, syncs, and renames over it: after a crash, a full disk, or a lost power supply the old or
 * the new content is there, never a part. Mode 0600. Throws WarrenError('disk').
 */
export function writeAtomic(path: string, bytes: Uint8Array | string): void {
  const temporary = temporaryName(path);
  try {
    writeSynced(temporary, bytes);
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw diskError('write', path, error);
  }
}

export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
}

/** A new file of mode 0600 whose content has reached the disk. */
export function writeSynced(path: string, bytes: Uint8Array | string): void {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The rename itself must reach the disk too. Windows cannot open a directory and needs no such step. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * A directory that only this user can enter, made when it is missing. One that another user owns, or a symbolic link
 * put there by someone else, is refused. Throws WarrenError('disk').
 */
export function privateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (process.platform === 'win32') return;
    const info = lstatSync(path);
    const own = process.getuid?.();
    if (info.uid !== own) throw new WarrenError('disk', `${path} belongs to another user (uid ${info.uid})`);
    if (!info.isDirectory() && !info.isSymbolicLink()) throw new WarrenError('disk', `${path} is not a directory`);
    if (info.isDirectory() && (info.mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (error) {
    throw error instanceof WarrenError ? error : diskError('use', path, error);
  }
}
