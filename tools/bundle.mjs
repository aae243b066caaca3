/**
 * Bundles the built command into `build/bundle/`, because it then starts in half the time: `node tools/bundle.mjs`, after
 * `tsc -b`. `cli/warren` runs the bundle while it is the youngest (see there), and the build tree otherwise.
 *
 *     warren.js                tools/bundle-entry.mjs, which runs the next two
 *     code/command-HASH.js     the command as one script: a function of a module's names
 *     code/command-HASH.cache  V8's compiled code of it, for the Node that bundled; another one compiles it at every start
 *     code/worker.js           the engine's crypto worker, which the engine looks for beside itself
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUTPUT = join(ROOT, 'build/bundle');
const ENTRY = join(OUTPUT, 'warren.js');
// As deep as build/cli/commands, so `../../` in a URL means the same in both.
const CODE = join(OUTPUT, 'code');

const common = {
  absWorkingDir: ROOT,
  outdir: OUTPUT,
  bundle: true,
  // A third less to read at every start; names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  platform: 'node',
  target: 'node20',
  // Its main entry requires by computed names, which no bundler follows.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
};

/** node-wireguard finds its addon and its helper by its own place, so its files keep theirs. */
const keepNativePlace = {
  name: 'keep-native-place',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]native[\\/]dist[\\/][\w-]+\.js$/ }, ({ path }) => {
      const place = relative(CODE, path).replaceAll('\\', '/');
      const url = `new URL(${JSON.stringify(place)}, import.meta.url).href`;
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'js' };
    });
  },
};

async function bundleCommand() {
  const { outputFiles } = await build({
    ...common,
    entryPoints: { command: 'build/cli/main.js' },
    entryNames: 'code/[name]-[hash]',
    format: 'cjs',
    define: { 'import.meta.url': 'bundleUrl' },
    // As strict as the modules that it was made of.
    banner: { js: '(function(require,module,exports,bundleUrl){"use strict";' },
    footer: { js: '})' },
    plugins: [keepNativePlace],
  });
  return outputFiles;
}

async function bundleModules(command) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: { warren: 'tools/bundle-entry.mjs', 'code/worker': 'build/engine/net/crypto-worker/worker.js' },
    format: 'esm',
    define: { COMMAND: JSON.stringify(basename(command, '.js')) },
  });
  return outputFiles;
}

/** A path that the code takes from its own place must be there, or the move broke it. */
function checkPaths({ path, text }) {
  for (const [, place] of text.matchAll(/new URL\("([^"]+)",(?:import\.meta\.url|bundleUrl)\)/g)) {
    const target = fileURLToPath(new URL(place, pathToFileURL(path)));
    if (!existsSync(target)) throw new Error(`${path} looks for ${target}, which is not there`);
  }
}

/** Without the file the command starts all the same, only slower. */
function cacheCode(command) {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'tools/code-cache.mjs'), command]);
  if (status !== 0) throw new Error(`no code cache: ${stderr}`);
}

const started = new Date();
const [command] = await bundleCommand();
const files = [command, ...(await bundleModules(command.path))];
mkdirSync(CODE, { recursive: true });
// The entry last: before that the old one runs with its old script.
for (const { path, contents } of files) {
  writeFileSync(`${path}.new`, contents);
  if (path !== ENTRY) renameSync(`${path}.new`, path);
}
files.forEach(checkPaths);
cacheCode(command.path);
// As old as what it was made of: a compiler that ran meanwhile leaves a younger tree.
utimesSync(`${ENTRY}.new`, started, started);
renameSync(`${ENTRY}.new`, ENTRY);

const kept = new Set(files.filter(({ path }) => dirname(path) === CODE).map(({ path }) => basename(path)));
kept.add(basename(command.path).replace(/js$/, 'cache'));
for (const name of readdirSync(CODE)) if (!kept.has(name)) rmSync(join(CODE, name), { recursive: true });
// Of bundles before there was one script.
rmSync(join(OUTPUT, 'chunks'), { recursive: true, force: true });
