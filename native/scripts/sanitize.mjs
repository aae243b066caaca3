/**
 * Runs the C++ tests and the committed fuzz corpus under AddressSanitizer and UndefinedBehaviorSanitizer.
 * A test is a program below test/ that ends with 0; the helper's own gets the sanitized helper as its argument.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';

import { buildPrograms, filesBelow, findCompiler, fuzzTargets, NATIVE } from './sanitized-build.mjs';

function native(path) {
  return join(NATIVE, path);
}

const compiler = await findCompiler();
const helper = {
  name: 'warren-tun-helper',
  sources: [native('helper/main.cc'), native('helper/rights.cc')],
};
const tests = filesBelow(native('test'), '_test.cc').map((source) => ({
  name: basename(source, '.cc'),
  sources: [source],
}));
const replays = fuzzTargets()
  .filter((target) => existsSync(native(`fuzz/corpus/${target}`)))
  .map((target) => ({
    name: `replay-${target}`,
    corpus: native(`fuzz/corpus/${target}`),
    sources: [native(`fuzz/${target}.cc`), native('fuzz/replay.cc')],
  }));

const programs = [helper, ...tests, ...replays];
const [helperPath, ...paths] = await buildPrograms(compiler, programs);
let failed = 0;
for (const [i, path] of paths.entries()) {
  const { name, corpus } = programs[i + 1];
  const argument = corpus ?? (name === 'helper_test' ? helperPath : null);
  const { status, stderr } = spawnSync(path, argument === null ? [] : [argument], { encoding: 'utf8' });
  process.stdout.write(`${status === 0 ? 'passed' : 'FAILED'} ${name}\n`);
  if (status === 0) continue;
  process.stderr.write(stderr);
  failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
