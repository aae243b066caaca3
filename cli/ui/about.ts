/** What the app says about itself in a browser. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtInServers } from '../../engine/net/state/server-list.ts';
import type { AppState } from '../../protocol/face.ts';

export function aboutHere(): AppState['about'] {
  const root = rootAbove(dirname(fileURLToPath(import.meta.url)));
  return {
    version: root === null ? 'unknown' : versionIn(root),
    platform: process.platform,
    shell: 'browser',
    locale: Intl.DateTimeFormat().resolvedOptions().locale,
    servers: root === null ? [] : builtInServers(join(root, 'resources/servers.json')),
  };
}

/** Folder of the nearest package.json: the command runs from its sources, its build tree or its bundle. */
function rootAbove(directory: string): string | null {
  if (existsSync(join(directory, 'package.json'))) return directory;
  const parent = dirname(directory);
  return parent === directory ? null : rootAbove(parent);
}

function versionIn(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version?: string };
  return version ?? 'unknown';
}
