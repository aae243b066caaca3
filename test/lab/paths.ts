import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root, found from this file both as source (test/lab) and compiled (build/test/lab). */
export const repositoryRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Where the lab keeps what it builds. */
export const labBuildDirectory = join(repositoryRoot, 'build/lab');

/** Sources of the lab, also when the running code is the compiled one. */
export const labSourceDirectory = join(repositoryRoot, 'test/lab');

function findRoot(directory: string): string {
  const manifest = join(directory, 'package.json');
  if (existsSync(manifest)) {
    const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
    if (name === 'warren') return directory;
  }
  const parent = dirname(directory);
  if (parent === directory) throw new Error('the lab is not inside a checkout of warren');
  return findRoot(parent);
}
