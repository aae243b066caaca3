import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { freePath, safeFileName } from '../../../engine/net/files/file-names.ts';

it.each([
  ['map.w3x', 'map.w3x'],
  ['../../.ssh/authorized_keys', '_.._.ssh_authorized_keys'],
  ['C:\\Windows\\evil.exe', 'C__Windows_evil.exe'],
  ['photo\u202egpj.exe', 'photogpj.exe'],
  ['.bashrc', 'bashrc'],
  ['CON', '_CON'],
  ['nul.txt', '_nul.txt'],
  ['a\nb\u0000c', 'abc'],
  ['... ', 'file'],
  ['存档.zip', '存档.zip'],
])('%j is stored as %j', (name, safe) => {
  expect(safeFileName(name)).toBe(safe);
});

it('is one segment of at most 200 bytes, whatever is asked for', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const safe = safeFileName(name);
      expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(201);
      expect(dirname(join('/downloads', safe))).toBe('/downloads');
      expect(basename(safe)).toBe(safe);
      expect(safe).not.toMatch(/^\.|[\p{C}\\/:*?"<>|]|[. ]$/u);
      expect(safe).not.toBe('');
    }),
  );
});

it('never writes over a file that is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-names-'));
  try {
    for (const wanted of ['map.w3x', 'map (2).w3x', 'map (3).w3x']) {
      const path = freePath(folder, 'map.w3x');
      expect(path).toBe(join(folder, wanted));
      writeFileSync(path, '');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
