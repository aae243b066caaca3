/** Policy files on the disk: loaded with errors that name file and line, and followed while the engine runs. */
import { unwatchFile, watchFile } from 'node:fs';
import { WarrenError } from '../../protocol/errors.ts';
import type { LoadedPolicy } from '../filter/filters.ts';
import { type PolicyResult, parsePolicy } from '../filter/policy.ts';
import { readIfThere } from './state/files.ts';

/** Editors write a file in several steps and by renaming: looked at once a second it is whole. */
const LOOK_MS = 1_000;

/** Throws WarrenError: `disk` when it cannot be read, `invalid` for the first thing that is wrong in it. */
export function loadPolicy(file: string): LoadedPolicy {
  const result = readPolicy(file);
  if (!result.ok) throw new WarrenError('invalid', `${file}:${result.problem.line}: ${result.problem.message}`);
  return { file, policy: result.policy };
}

/** Throws WarrenError('disk') when there is no such file. */
export function readPolicy(file: string): PolicyResult {
  const bytes = readIfThere(file);
  if (bytes === null) throw new WarrenError('disk', `there is no policy file ${file}`);
  return parsePolicy(Buffer.from(bytes).toString());
}

/** Calls back with the content after each change; a file that went away changes nothing. The result stops it. */
export function watchPolicy(file: string, changed: (result: PolicyResult) => void): () => void {
  const look = () => {
    const bytes = readIfThere(file);
    if (bytes !== null) changed(parsePolicy(Buffer.from(bytes).toString()));
  };
  watchFile(file, { interval: LOOK_MS, persistent: false }, look);
  return () => unwatchFile(file, look);
}
