import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, it } from 'vitest';

/** The C++ tests of native/test: vectors, and every timer on a test clock. */
const script = fileURLToPath(new URL('../../../native/scripts/core-tests.mjs', import.meta.url));
const binary = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim();
const names = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');

describe('the core in C++', () => {
  // One of them counts allocations over a million packets, which takes its time where others run beside it.
  it.each(names)('%s', { timeout: 120_000 }, async (name) => {
    await promisify(execFile)(binary, [name]);
  });
});
