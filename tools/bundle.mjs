/**
 * Bundles the built command into `build/bundle/`, because it then starts in half the time: `node tools/bundle.mjs`, after
 * `tsc -b`. `cli/warren` runs the bundle while it is the youngest (see there), and the build tree otherwise.
 *
 * Commands stay lazy chunks, and `node-wireguard` stays outside: it finds its addon by its own place.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUTPUT = join(ROOT, 'build/bundle');
const ENTRY = join(OUTPUT, 'warren.js');
// Chunks lie as deep as build/cli/commands, so `../../` in a URL means the same in both; the worker lies beside them.
const CHUNKS = join(OUTPUT, 'chunks');

/** Packages in CommonJS call `require` for Node's own modules; an ES module has none. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      warren: 'build/cli/main.js',
      'chunks/worker': 'build/engine/net/crypto-worker/worker.js',
    },
    outdir: OUTPUT,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    // A third less to read at every start; names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    platform: 'node',
    target: 'node20',
    external: ['node-wireguard'],
    // Its main entry requires by computed names, which no bundler follows.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
  });
  return outputFiles;
}

/** A path that a chunk takes from its own place must be there, or the move broke it. */
function checkPaths({ path, text }) {
  for (const [, relative] of text.matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)) {
    const target = fileURLToPath(new URL(relative, pathToFileURL(path)));
    if (!existsSync(target)) throw new Error(`${path} looks for ${target}, which is not there`);
  }
}

const started = new Date();
const files = await bundle();
mkdirSync(CHUNKS, { recursive: true });
// The entry last: before that the old one runs with its old chunks.
for (const { path, contents } of files) {
  writeFileSync(`${path}.new`, contents);
  if (path !== ENTRY) renameSync(`${path}.new`, path);
}
files.forEach(checkPaths);
// As old as what it was made of: a compiler that ran meanwhile leaves a younger tree.
utimesSync(`${ENTRY}.new`, started, started);
renameSync(`${ENTRY}.new`, ENTRY);

const kept = new Set(files.filter(({ path }) => dirname(path) === CHUNKS).map(({ path }) => basename(path)));
for (const name of readdirSync(CHUNKS)) if (!kept.has(name)) rmSync(join(CHUNKS, name), { recursive: true });
