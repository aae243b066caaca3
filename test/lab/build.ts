/** Builds the user-space router `natbox` with g++ when its sources are newer than the binary. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { labBuildDirectory, labSourceDirectory } from './paths.ts';

const execute = promisify(execFile);
const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wconversion'];

let building: Promise<string> | null = null;

/** Path of an up-to-date `natbox`. Rejects with the compiler's output when it does not build. */
export function ensureNatbox(): Promise<string> {
  building ??= build();
  return building;
}

async function build(): Promise<string> {
  const directory = join(labSourceDirectory, 'router');
  const names = await readdir(directory);
  const files = names.filter((name) => /\.(cpp|hpp)$/.test(name)).map((name) => join(directory, name));
  const binary = join(labBuildDirectory, 'natbox');
  const newest = Math.max(...(await Promise.all(files.map(modifiedMs))));
  if ((await modifiedMs(binary)) > newest) return binary;

  // Several test processes may build at once: each in a directory of its own, and the last rename wins with equal content.
  const scratch = join(labBuildDirectory, `natbox-${process.pid}`);
  await mkdir(scratch, { recursive: true });
  try {
    const objects = await compileAll(
      files.filter((file) => file.endsWith('.cpp')),
      scratch,
    );
    const linked = join(scratch, 'natbox');
    await execute('g++', ['-o', linked, ...objects]);
    await rename(linked, binary);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return binary;
}

/** Compiles with one compiler a core. */
async function compileAll(sources: string[], scratch: string): Promise<string[]> {
  const waiting = [...sources];
  const objects: string[] = [];
  const worker = async (): Promise<void> => {
    for (let source = waiting.pop(); source !== undefined; source = waiting.pop()) {
      const object = join(scratch, `${basename(source)}.o`);
      await execute('g++', [...flags, '-c', '-o', object, source]);
      objects.push(object);
    }
  };
  await Promise.all(cpus().map(worker));
  return objects;
}

async function modifiedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return 0;
  }
}
