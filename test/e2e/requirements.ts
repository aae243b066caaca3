/** Whether tests of the screen can run here. Where they cannot they are skipped with the reason; with CI=true that is a failure. */
import { describe, it } from 'vitest';
import { missing } from '../../tools/system-packages.mjs';
import { labProblem } from '../lab/requirements.ts';

/** Why no browser can be started here, or null. */
export function browserProblem(): string | null {
  if (process.platform !== 'linux') return 'the browser tests need Linux';
  const absent = missing('e2e');
  return absent.length === 0
    ? null
    : `the browser tests need ${absent.join(', ')} (node tools/system-packages.mjs e2e)`;
}

/** `describe` for tests that need a browser (or Electron's libraries) alone. */
export function describeBrowser(name: string, body: () => void): void {
  describeUnless(browserProblem(), name, body);
}

/** `describe` for tests that need a browser and a lab of namespaces. */
export function describeBrowserLab(name: string, body: () => void): void {
  describeUnless(browserProblem() ?? labProblem(), name, body);
}

/** `describe` for tests that cannot run because of `problem`, null when they can. */
export function describeUnless(problem: string | null, name: string, body: () => void): void {
  if (problem === null) describe(name, body);
  else if (process.env.CI === 'true') {
    describe(name, () => {
      it('can run here', () => {
        throw new Error(problem);
      });
    });
  } else describe.skip(`${name} (skipped: ${problem})`, body);
}
