import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

import { missing } from '../../../tools/system-packages.mjs';
import { repositoryRoot } from '../../lab/paths.ts';

const run = promisify(execFile);
const TARGETS = readdirSync(join(repositoryRoot, 'native/fuzz')).filter(
  (name) => name.endsWith('.cc') && name !== 'replay.cc',
).length;
const SECONDS_A_TARGET = 3;
const BUILD_AND_RUN_MS = 900_000;

/** Standard output; rejects with the sanitizer's report. At low priority: other tests run beside it. */
async function script(name: string, ...args: string[]): Promise<string> {
  const path = join(repositoryRoot, 'native/scripts', name);
  const { stdout } = await run('nice', [process.execPath, path, ...args]);
  return stdout;
}

const absent = missing('fuzz');
if (absent.length > 0 && process.env['CI'] === 'true') throw new Error(`native fuzzing needs ${absent.join(', ')}`);

describe('native code under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  it('passes its tests and the committed corpus', { timeout: BUILD_AND_RUN_MS }, async () => {
    const report = await script('sanitize.mjs');
    expect(report).toContain('passed the replay window agrees with a set on random traffic');
    expect(report).toContain('passed the helper answers 5,000 bent and random frames with invalid');
    expect(report.match(/^passed replay-/gm)).toHaveLength(TARGETS);
  });

  const title = absent.length === 0 ? '' : ` (skipped: needs ${absent.join(', ')})`;
  it.skipIf(absent.length > 0)(
    `survives ${SECONDS_A_TARGET} s of fuzzing on each parser${title}`,
    { timeout: BUILD_AND_RUN_MS },
    async () => {
      const report = await script('fuzz.mjs', String(SECONDS_A_TARGET));
      expect(report.match(/^\w+: Done \d+ runs/gm)).toHaveLength(TARGETS);
    },
  );
});
