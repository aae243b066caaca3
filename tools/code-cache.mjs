/**
 * Compiles the bundled command's script and keeps V8's code beside it: `node tools/code-cache.mjs SCRIPT`. It holds what ran until
 * then, so the command runs as far as `warren up` without a room gets: everything is loaded, and nothing has begun.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { loadScript, runScript } from './bundle-script.mjs';

const path = process.argv[2];
const cache = path.replace(/js$/, 'cache');
const script = loadScript(path, null);

process.on('exit', (code) => {
  // That no room was named is what `up` ends with.
  if (code !== 2) return;
  writeFileSync(`${cache}.new`, script.createCachedData());
  renameSync(`${cache}.new`, cache);
  process.exitCode = 0;
});
process.argv = [process.argv[0], 'warren', 'up'];
runScript(script, path);
