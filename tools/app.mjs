/**
 * Bundles the desktop app into `build/app/`: `node tools/app.mjs`. CommonJS, because the sandboxed preload and the Electron of the
 * tests take nothing else.
 *
 *     main.cjs      electron/main with engine, server and node-wireguard's TypeScript part
 *     worker.js     the engine's crypto worker, which main.cjs looks for beside itself
 *     preload.cjs   electron/preload
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUTPUT = join(ROOT, 'build/app');

/** CommonJS has no `import.meta`: each file's own URL is computed from where the bundle lies. */
const urlOf = (path) =>
  `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${JSON.stringify(path)})).href`;

/**
 * node-wireguard finds its addon by its own place, so its files keep theirs: a path from the bundle back to the package,
 * which the archive of the packaged app repeats.
 */
const keepNativePlace = {
  name: 'keep-native-place',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]native[\\/][\w-]+\.ts$/ }, ({ path }) => {
      const place = relative(OUTPUT, path).replaceAll('\\', '/');
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', urlOf(place));
      return { contents, loader: 'ts', resolveDir: dirname(path) };
    });
  },
};

const common = {
  absWorkingDir: ROOT,
  outdir: OUTPUT,
  bundle: true,
  format: 'cjs',
  external: ['electron'],
  legalComments: 'none',
  logLevel: 'warning',
};
const onNode = {
  ...common,
  platform: 'node',
  target: 'node18',
  conditions: ['warren-source'],
  // Its main entry requires by computed names, which no bundler follows.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  // What Node 18 lacks of the library.
  inject: ['tools/app-shims.mjs'],
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "'use strict'; const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  plugins: [keepNativePlace],
};

await Promise.all([
  build({ ...onNode, entryPoints: { main: 'electron/main/main.ts' }, outExtension: { '.js': '.cjs' } }),
  build({ ...onNode, entryPoints: { worker: 'engine/net/crypto-worker/worker.ts' } }),
  build({
    ...common,
    entryPoints: { preload: 'electron/preload/preload.ts' },
    outExtension: { '.js': '.cjs' },
    platform: 'browser',
    target: 'chrome114',
  }),
]);
// The root says that .js files are ES modules; the engine gives the worker its name, and here it is none.
writeFileSync(join(OUTPUT, 'package.json'), '{ "type": "commonjs" }\n');
