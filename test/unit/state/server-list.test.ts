import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aboutHere } from '../../../cli/ui/about.ts';
import { builtInServers } from '../../../engine/net/state/server-list.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warren-servers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function listOf(content: string): string[] {
  const path = join(folder, 'servers.json');
  writeFileSync(path, content);
  return builtInServers(path);
}

it('gives the servers of the list in their order', () => {
  const servers = ['wss://one.example', 'ws://198.51.100.10:7868'];
  expect(listOf(JSON.stringify({ servers }))).toEqual(servers);
});

it.each(['{', '[]', '{"servers":["javascript:alert(1)"]}', '{"servers":"wss://one.example"}'])(
  'gives none for a list like %s',
  (content) => expect(listOf(content)).toEqual([]),
);

it('gives none where there is no list', () => {
  expect(builtInServers(join(folder, 'absent.json'))).toEqual([]);
});

it('finds the list of this checkout', () => {
  expect(aboutHere().servers).toEqual(builtInServers(join(import.meta.dirname, '../../../resources/servers.json')));
  expect(aboutHere().version).toMatch(/^\d+\.\d+\.\d+/);
});
