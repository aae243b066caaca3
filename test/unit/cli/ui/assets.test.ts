import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadAssets } from '../../../../cli/ui/assets.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-assets-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('takes the files of the build by the paths of their requests', () => {
  mkdirSync(join(directory, 'assets'));
  writeFileSync(join(directory, 'index.html'), 'page');
  writeFileSync(join(directory, 'assets/index-1.js'), 'code');
  writeFileSync(join(directory, 'assets/mark-2.svg'), 'mark');
  const assets = loadAssets(directory);
  expect([...assets].map(([path, { type, immutable }]) => [path, type, immutable]).sort()).toEqual([
    ['/', 'text/html; charset=utf-8', false],
    ['/assets/index-1.js', 'text/javascript; charset=utf-8', true],
    ['/assets/mark-2.svg', 'image/svg+xml', true],
  ]);
  expect(String(assets.get('/')?.bytes)).toBe('page');
});

it('leaves out what a browser could take for something else, and what lies elsewhere', () => {
  writeFileSync(join(directory, 'index.html'), 'page');
  writeFileSync(join(directory, 'notes'), 'without a type');
  symlinkSync('/etc/passwd', join(directory, 'link.json'));
  expect([...loadAssets(directory).keys()]).toEqual(['/']);
});

it('says how to get a UI that is not built', () => {
  expect(() => loadAssets(directory)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  expect(() => loadAssets(join(directory, 'nowhere'))).toThrow('npm run build');
});
