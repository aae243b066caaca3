const SLOWEST = 12;

/**
 * Ends a run with the slowest files, the tests that needed a second try, and the plain line `N passed, N failed, N skipped`; makes a
 * skip a failure where CI=true.
 */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const skipped = [];
    for (const module of modules) {
      if (
        module.state() === 'failed' &&
        [...module.children.allTests()].every((test) => test.result().state !== 'failed')
      )
        count.failed += 1;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (test.diagnostic()?.flaky) process.stdout.write(`second try: ${test.fullName}\n`);
        if (state === 'passed' || state === 'failed') count[state] += 1;
        else {
          count.skipped += 1;
          skipped.push(`${test.fullName}${note ? `: ${note}` : ''}`);
        }
      }
    }
    const byTime = modules.map((module) => [module.diagnostic().duration, module.relativeModuleId]);
    for (const [ms, name] of byTime.toSorted(([a], [b]) => b - a).slice(0, SLOWEST))
      process.stdout.write(`${Math.round(ms / 1_000)} s: ${name}\n`);
    for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
    if (process.env.CI === 'true' && (count.skipped > 0 || unhandledErrors.length > 0)) process.exitCode = 1;
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}
