/**
 * `npm start`: the app in Electron where there is one and a screen to show it on, else the same UI in the browser.
 *
 * 1. Electron is looked for: ELECTRON_OVERRIDE_DIST_PATH, node_modules, and once its own download.
 * 2. One line says which of the two it is, and why.
 * 3. What is not built, or older than its sources, is built; then it runs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGE = join(ROOT, 'node_modules/electron');
/** 110 MB; a person who waits this long would rather see the app in the browser. */
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
/** An Electron that cannot run here (a missing library, a forbidden sandbox) ends within a second or two. */
const EARLY_END_MS = 10_000;

/** Path of Electron's program inside its dist folder. */
const PROGRAM = { win32: 'electron.exe', darwin: 'Electron.app/Contents/MacOS/Electron' };

/**
 * What opens the app, and why; `missing` is left to a download.
 * @returns {{ face: 'electron', program: string, why: string } | { face: 'browser' | 'missing', why: string }}
 */
export function choose({ platform, env, uid, electronPackage, exists }) {
  const screen = platform === 'win32' || platform === 'darwin' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
  if (!screen) return { face: 'browser', why: 'there is no display here' };
  const name = PROGRAM[platform] ?? 'electron';
  const override = env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) {
    const program = join(override, name);
    if (exists(program)) return { face: 'electron', program, why: `Electron of ${override}` };
    return { face: 'browser', why: `ELECTRON_OVERRIDE_DIST_PATH has no ${name}` };
  }
  const program = join(electronPackage, 'dist', name);
  if (!exists(program)) return { face: 'missing', why: 'Electron is not here and could not be downloaded' };
  // Chromium refuses to run as root with its sandbox.
  return { face: 'electron', program, why: uid === 0 ? 'Electron, without its sandbox for root' : 'Electron' };
}

function chooseHere() {
  const { platform, env } = process;
  return choose({ platform, env, uid: process.getuid?.(), electronPackage: PACKAGE, exists: existsSync });
}

function download() {
  console.log('Warren downloads Electron (110 MB), this once');
  // Its stack traces say nothing to a person; the line that follows says what happens instead.
  spawnSync(process.execPath, [join(PACKAGE, 'install.js')], { stdio: 'ignore', timeout: DOWNLOAD_TIMEOUT_MS });
}

/** Time of the last change below a path, Unix ms; 0 where there is nothing. */
function youngest(path) {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => youngest(join(path, name))));
}

function buildIfStale(output, sources, script, ...args) {
  const built = youngest(join(ROOT, output));
  if (built > 0 && sources.every((source) => youngest(join(ROOT, source)) < built)) return;
  build('npm', ['run', '--silent', script, '--', ...args]);
}

function build(command, args) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status === 0) return;
  console.error(`Warren: ${command} ${args.join(' ')} failed\n  run: npm ci && npm run build`);
  process.exit(1);
}

const SHARED = ['protocol', 'package-lock.json'];

function buildFor(face) {
  buildIfStale(
    'build/renderer/index.html',
    ['renderer', 'resources', ...SHARED],
    'build:renderer',
    '--logLevel',
    'warn',
  );
  if (face === 'browser') build('npx', ['tsc', '-b', 'cli']);
  else buildIfStale('build/app/main.cjs', ['electron', 'engine', 'server', 'native/src', ...SHARED], 'build:app');
}

/** Resolves with the exit code, and how long it ran. The signals of a terminal reach it by themselves. */
function run(program, args) {
  const started = performance.now();
  const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit' });
  const forward = (signal) => child.kill(signal);
  const ignore = () => {};
  process.on('SIGTERM', forward).on('SIGINT', ignore);
  return new Promise((resolve) => {
    const end = (code) => {
      process.off('SIGTERM', forward).off('SIGINT', ignore);
      resolve({ code, lastedMs: performance.now() - started });
    };
    child.once('error', () => end(127));
    child.once('exit', (code) => end(code ?? 1));
  });
}

async function inBrowser(why, args) {
  console.log(`Warren opens as a page for your browser: ${why}`);
  buildFor('browser');
  return (await run(process.execPath, [join(ROOT, 'cli/warren'), 'ui', ...args])).code;
}

async function start(args) {
  let chosen = chooseHere();
  if (chosen.face === 'missing') {
    download();
    chosen = chooseHere();
  }
  if (chosen.face !== 'electron') return await inBrowser(chosen.why, args);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  console.log(`Warren ${version} opens as a desktop app: ${chosen.why}`);
  buildFor('electron');
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const { code, lastedMs } = await run(chosen.program, [...sandbox, '.', ...args]);
  if (code === 0 || lastedMs > EARLY_END_MS) return code;
  return await inBrowser(`Electron does not run here (it ended with ${code})`, args);
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  process.exitCode = await start(process.argv.slice(2));
}
