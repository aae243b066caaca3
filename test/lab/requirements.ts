/** Whether labs can run here. Tests that need one are skipped with the reason; with CI=true that is a failure. */
import { describe, it } from 'vitest';
import { missing } from '../../tools/system-packages.mjs';

/** Why no lab can be built here, or null. */
export function labProblem(): string | null {
  if (process.platform !== 'linux') return 'the lab needs Linux network namespaces';
  if (process.getuid?.() !== 0) return 'the lab needs root for network namespaces';
  const absent = missing('lab');
  return absent.length === 0 ? null : `the lab needs ${absent.join(', ')} (node tools/system-packages.mjs lab)`;
}

/** `describe` for tests that need a lab. */
export function describeLab(name: string, body: () => void): void {
  const problem = labProblem();
  if (problem === null) describe(name, body);
  else if (process.env.CI === 'true') {
    describe(name, () => {
      it('can run here', () => {
        throw new Error(problem);
      });
    });
  } else describe.skip(`${name} (skipped: ${problem})`, body);
}
