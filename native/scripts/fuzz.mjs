/**
 * Fuzzes every native parser: node scripts/fuzz.mjs [SECONDS a target, default 60] [--keep] [TARGET ...]
 * New inputs stay in build/sanitized; `--keep` merges those that reach new code into the committed corpus.
 * Needs clang and libFuzzer (Debian: clang, libclang-rt-14-dev); exits with 3 where they are missing.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { buildPrograms, findClang, findCompiler, fuzzTargets, NATIVE, OUT } from './sanitized-build.mjs';

const EXIT_NO_CLANG = 3;
const MAX_INPUT_BYTES = 8192;

/** The program's exit code; its output only when it fails. */
function exitCode(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0) process.stderr.write(output);
      else process.stdout.write(`${summary(output)}\n`);
      resolve(code);
    });
  });
}

/** libFuzzer's closing line. */
function summary(output) {
  return output.split('\n').findLast((line) => line.startsWith('Done') || line.includes('MERGE-OUTER')) ?? '';
}

async function fuzz(target, program, seconds, keep) {
  const found = join(OUT, 'corpus', target);
  const committed = join(NATIVE, 'fuzz/corpus', target);
  for (const directory of [found, committed]) mkdirSync(directory, { recursive: true });
  const limits = [`-max_len=${MAX_INPUT_BYTES}`, '-timeout=10', '-rss_limit_mb=1024'];
  const artifacts = `-artifact_prefix=${join(OUT, `${target}-`)}`;
  process.stdout.write(`${target}: `);
  const code = await exitCode(program, [...limits, artifacts, `-max_total_time=${seconds}`, found, committed]);
  if (code !== 0 || !keep) return code;
  return exitCode(program, [...limits, '-merge=1', committed, found]);
}

const { values, positionals } = parseArgs({ options: { keep: { type: 'boolean' } }, allowPositionals: true });
const seconds = positionals.find((text) => /^\d+$/.test(text)) ?? '60';
const wanted = positionals.filter((text) => !/^\d+$/.test(text));
const targets = fuzzTargets().filter((target) => wanted.length === 0 || wanted.includes(target));

if ((await findClang()) === null) {
  process.stderr.write('Fuzzing needs clang with libFuzzer: apt-get install clang libclang-rt-14-dev\n');
  process.exit(EXIT_NO_CLANG);
}
const compiler = await findCompiler();
const programs = await buildPrograms(
  compiler,
  targets.map((name) => ({
    name: `fuzz-${name}`,
    sources: [join(NATIVE, 'fuzz', `${name}.cc`)],
    flags: [compiler.fuzzer],
  })),
);
for (const [i, target] of targets.entries()) {
  if ((await fuzz(target, programs[i], seconds, values.keep)) !== 0) process.exitCode = 1;
}
