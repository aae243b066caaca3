/** `warren policy check FILE`: reads a policy file and runs its tests; nothing is changed. */
import { readPolicy } from '../../engine/net/policy-file.ts';
import type { Io } from '../io.ts';
import { printable } from '../view/printable.ts';

/** 0: good. 1: something is wrong in it, with its line. */
export async function checkPolicy(file: string, asked: { json?: boolean }, io: Io): Promise<number> {
  const result = readPolicy(file);
  if (!result.ok) {
    const { line, message } = result.problem;
    if (asked.json) io.out(JSON.stringify({ file, ok: false, line, message }));
    io.err(`warren: ${printable(file)}:${line}: ${printable(message)} (invalid)`);
    io.err(`  correct that line and run: warren policy check ${printable(file)}`);
    return 1;
  }
  const { rules, tests } = result.policy;
  if (asked.json) io.out(JSON.stringify({ file, ok: true, rules: rules.length, tests: tests.length }));
  else io.out(`${printable(file)} is fine: ${rules.length} rules, ${tests.length} tests passed`);
  return 0;
}
