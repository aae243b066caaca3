/** What the app says about itself in a browser. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppState } from '../../protocol/face.ts';

export function aboutHere(): AppState['about'] {
  return {
    version: versionAbove(dirname(fileURLToPath(import.meta.url))),
    platform: process.platform,
    shell: 'browser',
    locale: Intl.DateTimeFormat().resolvedOptions().locale,
    servers: [],
  };
}

/** Of the nearest package.json: the command runs from its sources, its build tree or its bundle. */
function versionAbove(directory: string): string {
  const manifest = join(directory, 'package.json');
  if (existsSync(manifest)) {
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string };
    return version ?? 'unknown';
  }
  const parent = dirname(directory);
  return parent === directory ? 'unknown' : versionAbove(parent);
}
