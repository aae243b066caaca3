/**
 * Packs the app for this machine into `build/package/`: `npm run pack`. With ELECTRON_OVERRIDE_DIST_PATH nothing is downloaded: that
 * Electron is packed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}

function electronArguments() {
  const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (!folder) return [];
  const version = readFileSync(join(folder, 'version'), 'utf8').trim().replace(/^v/, '');
  return [`-c.electronDist=${folder}`, `-c.electronVersion=${version}`];
}

run('node', ['native/scripts/build.mjs']);
run('node', ['tools/app.mjs']);
run('npm', ['run', '--silent', 'build:renderer']);
run('npx', ['electron-builder', '--dir', '--publish', 'never', ...electronArguments()]);
