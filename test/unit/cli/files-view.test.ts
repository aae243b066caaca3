import { expect, it } from 'vitest';
import { fileLine } from '../../../cli/view/files.ts';
import type { FileTransfer } from '../../../protocol/files.ts';

const file: FileTransfer = {
  id: '0123abcd'.repeat(4),
  direction: 'in',
  peer: 'Ym9i',
  nick: 'bob',
  name: 'map.zip',
  size: 48_300_000,
  done: 29_000_000,
  state: 'running',
  problem: null,
  path: null,
};

it.each<[Partial<FileTransfer>, string]>([
  [{}, '0123abcd  map.zip  48 MB from bob: 60 %'],
  [{ state: 'offered', done: 0 }, '0123abcd  map.zip  48 MB from bob: offered; warren files accept 0123abcd'],
  [{ direction: 'out', state: 'offered', size: 900 }, '0123abcd  map.zip  900 B to bob: waits for a yes'],
  [{ state: 'waiting', size: 0, done: 0 }, '0123abcd  map.zip  0 B from bob: 100 %, waits for the other side'],
  [{ state: 'done', path: '/a/b\u001bc' }, '0123abcd  map.zip  48 MB from bob: complete, /a/b\u00b7c'],
  [{ state: 'failed', problem: 'damaged' }, '0123abcd  map.zip  48 MB from bob: it did not arrive whole'],
  [{ state: 'declined', nick: 'b\u202eob' }, '0123abcd  map.zip  48 MB from b\u00b7ob: declined'],
])('%j reads: %s', (change, line) => {
  expect(fileLine({ ...file, ...change })).toBe(line);
});
