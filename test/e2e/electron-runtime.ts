/** Finds an Electron to test with. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../lab/paths.ts';
import { labProblem } from '../lab/requirements.ts';
import { browserProblem, describeUnless } from './requirements.ts';

/** Prints the folder of a ready Electron; exists beside the checkout on the machines that test this project. */
const RUNTIME_SCRIPT = join(repositoryRoot, '../shared/tools/electron-runtime.sh');

/** The folder with the `electron` binary, or why there is none. */
export function findElectron(): { folder: string } | { problem: string } {
  const given = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? downloaded() ?? fetched();
  if (given === null) return { problem: 'no Electron here: set ELECTRON_OVERRIDE_DIST_PATH' };
  return existsSync(join(given, 'electron')) ? { folder: given } : { problem: `no Electron in ${given}` };
}

/** What `npx install-electron` leaves. */
function downloaded(): string | null {
  const folder = join(repositoryRoot, 'node_modules/electron/dist');
  return existsSync(join(folder, 'electron')) ? folder : null;
}

function fetched(): string | null {
  if (!existsSync(RUNTIME_SCRIPT)) return null;
  try {
    const cache = join(tmpdir(), 'electron-cache');
    return execFileSync(RUNTIME_SCRIPT, [cache], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

const found = findElectron();

/** Throws where there is none; inside `describeElectron` there is one. */
export function electronFolder(): string {
  if ('problem' in found) throw new Error(found.problem);
  return found.folder;
}

/** `describe` for tests that start the desktop app in a lab. */
export function describeElectron(name: string, body: () => void): void {
  describeUnless(whyNot() ?? browserProblem() ?? labProblem(), name, body);
}

function whyNot(): string | null {
  if ('problem' in found) return found.problem;
  const missing = ['build/app/main.cjs', 'build/renderer/index.html'].find(
    (path) => !existsSync(join(repositoryRoot, path)),
  );
  return missing === undefined ? null : `${missing} is not built: npm run build:app`;
}
