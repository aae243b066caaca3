/** `npm test`: makes what the tests need, checks types, style and imports, then runs them all. */
import { spawnSync } from 'node:child_process';
import { ensure } from './system-packages.mjs';

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.getuid?.() === 0) {
  for (const group of ['lab', 'fuzz', 'e2e']) {
    const problem = ensure(group);
    if (problem !== null) console.error(problem);
  }
}
run('node', ['native/scripts/build.mjs']);
run('npx', ['tsc', '-b']);
run('node', ['tools/bundle.mjs']);
run('node', ['tools/app.mjs']);
run('npx', ['vite', 'build', '--logLevel', 'warn']);
run('npx', ['biome', 'format']);
run('npx', ['oxlint', '--type-aware', '--deny-warnings']);
run('npx', ['vitest', 'run', ...process.argv.slice(2)]);
