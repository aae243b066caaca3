/** Where the filter's preset and policy live between runs: settings.json, and policy.jsonc as the app was given it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { WarrenError } from '../../protocol/errors.ts';
import type { PolicyView } from '../../protocol/filter.ts';
import type { LoadedPolicy } from '../filter/filters.ts';
import { parsePolicy } from '../filter/policy.ts';
import type { FilterSettings } from '../options.ts';
import { loadPolicy, watchPolicy } from './policy-file.ts';
import { diskError, privateDirectory, readIfThere, writeAtomic } from './state/files.ts';
import { loadSettings, saveSettings } from './state/stores.ts';

const keptPath = (stateDir: string) => join(stateDir, 'policy.jsonc');

/** `file` comes before a policy that is kept. Throws WarrenError: `disk`, or `invalid` for a policy that is wrong. */
export function filterSettings(stateDir: string, file: string | undefined): FilterSettings {
  return {
    preset: loadSettings(stateDir).filter,
    policy: file === undefined ? keptPolicy(stateDir) : loadPolicy(file),
    watch: (changed) => (file === undefined ? () => {} : watchPolicy(file, changed)),
    savePreset: (filter) => void saveSettings(stateDir, { filter }),
    savePolicy: (text) => keepPolicy(stateDir, text),
  };
}

/** Keeps the text of a policy, null: none any more. Throws WarrenError: `invalid` with its line, or `disk`. */
export function keepPolicy(stateDir: string, text: string | null): void {
  const path = keptPath(stateDir);
  if (text === null) {
    try {
      rmSync(path, { force: true });
    } catch (error) {
      throw diskError('remove', path, error);
    }
    return;
  }
  const result = parsePolicy(text);
  if (!result.ok) throw new WarrenError('invalid', `line ${result.problem.line}: ${result.problem.message}`);
  privateDirectory(stateDir);
  writeAtomic(path, text);
}

/** Throws WarrenError: `disk`, or `invalid`: a policy that cannot be understood must not turn into no policy. */
function keptPolicy(stateDir: string): LoadedPolicy | null {
  return readIfThere(keptPath(stateDir)) === null ? null : { ...loadPolicy(keptPath(stateDir)), file: null };
}

/** What a face shows while no engine runs. */
export function keptPolicyView(stateDir: string): PolicyView | null {
  const bytes = readIfThere(keptPath(stateDir));
  if (bytes === null) return null;
  const result = parsePolicy(Buffer.from(bytes).toString());
  if (!result.ok) return { file: null, rules: 0, tests: 0, problem: result.problem };
  return { file: null, rules: result.policy.rules.length, tests: result.policy.tests.length, problem: null };
}
