import { defineConfig } from 'vitest/config';

// A test's project follows from its file name: x.test.ts is a unit test, x.contract.test.ts talks to a store or to
// routes by inject, x.simulation.test.ts runs the engine on virtual time, x.e2e.test.ts starts real processes.
const named = (kind: string) => [`{system,harness,scenarios,dashboards}/**/*.${kind}.test.ts`];
const everyKind = ['contract', 'simulation', 'e2e'].flatMap(named);

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: named('').map(() => '{system,harness,scenarios,dashboards}/**/*.test.ts'), exclude: everyKind } },
      { test: { name: 'contract', include: named('contract'), testTimeout: 30_000, hookTimeout: 30_000 } },
      { test: { name: 'simulation', include: named('simulation'), testTimeout: 60_000 } },
      { test: { name: 'e2e', include: named('e2e'), testTimeout: 240_000, hookTimeout: 120_000, fileParallelism: false } },
    ],
  },
});
