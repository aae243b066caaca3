import { defineConfig } from 'vitest/config';

/** Engines of these tests run on the host itself: its router is nobody's to ask. Labs have routers of their own. */
const hostEnvironment = { WARREN_PORT_MAPPING: 'off' };

/**
 * Real sockets and processes on a machine that others use too: what fails there gets a second try in CI, and the summary names it.
 * Tests of virtual time get none.
 */
const secondTry = { retry: process.env.CI === 'true' ? 1 : 0 };

export default defineConfig({
  resolve: { conditions: ['warren-source'] },
  ssr: { resolve: { conditions: ['warren-source', 'node', 'import', 'default'] } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    reporters: ['default', './tools/summary-reporter.mjs'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/{unit,arch,contract,sim,vectors}/**/*.test.ts'],
          env: hostEnvironment,
        },
      },
      {
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          ...secondTry,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          env: hostEnvironment,
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          ...secondTry,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
