/** Builds the C++ sources without JavaScript, under AddressSanitizer and UndefinedBehaviorSanitizer. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const NATIVE = dirname(dirname(fileURLToPath(import.meta.url)));
export const OUT = join(NATIVE, 'build/sanitized');

const FLAGS = '-std=c++20 -Wall -Wextra -Werror -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all'.split(' ');
const MEMORY = '-fsanitize=address,undefined';
/** Coverage feedback for the fuzzer; programs that link without the fuzzer ignore it. */
const CLANG_FLAGS = ['-fsanitize=fuzzer-no-link'];

async function works(program, ...args) {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

/** Clang with libFuzzer's runtime, or null. */
export async function findClang() {
  if (!(await works('clang++', '--version'))) return null;
  const { stdout } = await run('clang++', ['-print-file-name=libclang_rt.fuzzer-x86_64.a']);
  const { stdout: other } = await run('clang++', ['-print-file-name=libclang_rt.fuzzer-aarch64.a']);
  return [stdout, other].some((path) => path.trim().startsWith('/')) ? 'clang++' : null;
}

/** Clang where it is complete, g++ otherwise (then there is no fuzzing, only replay). `name` is that of its folder. */
export async function findCompiler() {
  const clang = await findClang();
  if (clang === null) return { name: 'g++', program: 'g++', flags: [...FLAGS, MEMORY], fuzzer: null };
  return { name: clang, program: clang, flags: [...FLAGS, MEMORY, ...CLANG_FLAGS], fuzzer: '-fsanitize=fuzzer' };
}

/** The same compiler for ThreadSanitizer. */
export function threadSanitizer({ program }) {
  return { name: `${program}-thread`, program, flags: [...FLAGS, '-fsanitize=thread'], fuzzer: null };
}

/** Paths below `directory` that end with `suffix`. */
export function filesBelow(directory, suffix) {
  return readdirSync(directory, { recursive: true })
    .filter((path) => path.endsWith(suffix))
    .map((path) => join(directory, path))
    .toSorted();
}

function newest(paths) {
  return Math.max(...paths.map((path) => statSync(path).mtimeMs));
}

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Runs jobs, as many at a time as there are cores. */
async function inParallel(jobs) {
  const waiting = [...jobs];
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Compiles what is older than its source or any header; answers the object files. */
async function compile(compiler, sources) {
  const headers = newest(['src', 'helper', 'fuzz', 'test'].flatMap((room) => filesBelow(join(NATIVE, room), '.h')));
  const objects = sources.map((source) => ({
    source,
    object: join(OUT, compiler.name, `${relative(NATIVE, source).replaceAll('/', '-')}.o`),
  }));
  mkdirSync(join(OUT, compiler.name), { recursive: true });
  const stale = objects.filter(({ source, object }) => changedAt(object) <= Math.max(headers, changedAt(source)));
  await inParallel(
    stale.map(
      ({ source, object }) =>
        () =>
          run(compiler.program, [...compiler.flags, '-c', source, '-o', object]),
    ),
  );
  return objects.map(({ object }) => object);
}

/** Everything that knows no JavaScript, as one archive: programs take from it what they use. */
async function buildLibrary(compiler) {
  const sources = [...filesBelow(join(NATIVE, 'src'), '.cc'), join(NATIVE, 'helper/policy.cc')].filter(
    (path) => !path.includes('/napi/') && !path.endsWith('_napi.cc'),
  );
  const objects = await compile(compiler, sources);
  const archive = join(OUT, compiler.name, 'library.a');
  if (changedAt(archive) <= newest(objects)) {
    await run('rm', ['-f', archive]);
    await run('ar', ['rcs', archive, ...objects]);
  }
  return archive;
}

/**
 * Links each of `programs` ({ name, sources, flags }) with the library; answers their paths in that order.
 */
export async function buildPrograms(compiler, programs) {
  const library = await buildLibrary(compiler);
  const paths = [];
  for (const { name, sources, flags = [] } of programs) {
    const path = join(OUT, compiler.name, name);
    const objects = await compile(compiler, sources);
    if (changedAt(path) <= newest([...objects, library])) {
      await run(compiler.program, [
        ...compiler.flags,
        ...flags,
        ...objects,
        library,
        '-l:libcrypto.a',
        '-ldl',
        '-pthread',
        '-o',
        path,
      ]);
    }
    paths.push(path);
  }
  return paths;
}

/** Names of the fuzz targets. */
export function fuzzTargets() {
  const all = filesBelow(join(NATIVE, 'fuzz'), '.cc').map((path) => basename(path, '.cc'));
  return all.filter((name) => name !== 'replay');
}
