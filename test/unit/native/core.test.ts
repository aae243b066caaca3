import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, it } from 'vitest';

/** The C++ tests of native/test: vectors, and every timer on a test clock. */
const script = fileURLToPath(new URL('../../../native/scripts/core-tests.mjs', import.meta.url));
const binary = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim();
const names = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');

describe('the core in C++', () => {
  it.each(names)('%s', async (name) => {
    await promisify(execFile)(binary, [name]);
  });
});
