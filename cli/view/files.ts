/** A file on its way, as a line for a terminal. Pure. */
import type { FileTransfer } from '../../protocol/files.ts';
import { printable } from './printable.ts';

/** Enough of an id to say which one. */
export const SHORT_ID = 8;

const PROBLEM_WORDS: Record<NonNullable<FileTransfer['problem']>, string> = {
  'disk-full': 'the disk is full',
  disk: 'the file cannot be read or written',
  changed: 'the file was changed meanwhile: send it again',
  damaged: 'it did not arrive whole',
};

/** Such as: 0123abcd  map.zip  48 MB from bob: 60 %. */
export function fileLine(file: FileTransfer): string {
  const { id, direction, nick, name, size } = file;
  const way = direction === 'in' ? `from ${printable(nick)}` : `to ${printable(nick)}`;
  return `${id.slice(0, SHORT_ID)}  ${printable(name)}  ${bytes(size)} ${way}: ${standing(file)}`;
}

function standing({ id, direction, size, done, state, problem, path }: FileTransfer): string {
  if (problem !== null) return PROBLEM_WORDS[problem];
  const share = `${size === 0 ? 100 : Math.floor((100 * done) / size)} %`;
  switch (state) {
    case 'offered':
      return direction === 'in' ? `offered; warren files accept ${id.slice(0, SHORT_ID)}` : 'waits for a yes';
    case 'preparing':
      return 'getting ready';
    case 'waiting':
      return `${share}, waits for the other side`;
    case 'running':
      return share;
    case 'done':
      return direction === 'in' && path !== null ? `complete, ${printable(path)}` : 'complete';
    default:
      return state;
  }
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1_000 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}
