/**
 * Runs the C++ tests and the committed fuzz corpus under AddressSanitizer and UndefinedBehaviorSanitizer, or, with
 * `--thread`, the tests alone under ThreadSanitizer.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { buildPrograms, filesBelow, findCompiler, fuzzTargets, NATIVE, threadSanitizer } from './sanitized-build.mjs';

const { values } = parseArgs({ options: { thread: { type: 'boolean' } } });

function native(path) {
  return join(NATIVE, path);
}

/** The fuzz targets that have a corpus, each with a `main` that replays it. */
function replays() {
  return fuzzTargets()
    .filter((target) => existsSync(native(`fuzz/corpus/${target}`)))
    .map((target) => ({
      name: `replay-${target}`,
      corpus: native(`fuzz/corpus/${target}`),
      sources: [native(`fuzz/${target}.cc`), native('fuzz/replay.cc')],
    }));
}

let failed = 0;

/** Runs one program to its end; its error output only when it fails. */
function check(name, program, argument, env = {}) {
  const { status, signal, stderr } = spawnSync(program, [argument], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  process.stdout.write(`${status === 0 ? 'passed' : 'FAILED'} ${name}\n`);
  if (status === 0) return;
  process.stderr.write(`${stderr}${signal ?? ''}\n`);
  failed += 1;
}

const compiler = values.thread ? threadSanitizer(await findCompiler()) : await findCompiler();
const programs = [
  { name: 'native-test', sources: filesBelow(native('test'), '.cc') },
  { name: 'warren-tun-helper', sources: [native('helper/main.cc'), native('helper/rights.cc')] },
  ...(values.thread ? [] : replays()),
];
const [test, helper, ...replayPrograms] = await buildPrograms(compiler, programs);

const { stdout } = spawnSync(test, { encoding: 'utf8' });
for (const name of stdout.trim().split('\n')) check(name, test, name, { HELPER: helper });
for (const [i, program] of replayPrograms.entries()) {
  const { name, corpus } = programs[i + 2];
  check(name, program, corpus);
}
process.exitCode = failed === 0 ? 0 : 1;
