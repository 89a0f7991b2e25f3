import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// A test's project follows from its file name: x.test.ts is a unit test, x.contract.test.ts talks to a store or to
// routes by inject, x.simulation.test.ts runs the engine on virtual time, x.e2e.test.ts starts real processes.
// Of these last, x.measure.e2e.test.ts has a verdict that a neighbour could change, and runs while nothing else does;
// x.long.e2e.test.ts takes minutes by its nature, and so does x.long.test.ts on virtual time: both are left to `npm run test:long`.
const named = (kind: string) => [`{system,harness,scenarios,dashboards}/**/*.${kind}.test.ts`];
const everyKind = ['contract', 'simulation', 'e2e', 'long'].flatMap(named);
const packages = '**/node_modules/**';
const everyOtherE2e = ['measure.e2e', 'long.e2e'].flatMap(named);

// Files that start processes mostly wait for them: more of them than cores keep the cores busy.
const e2eWorkers = Math.max(3, availableParallelism());
// Tests start hundreds of processes, and half of what a start takes is reading our own files: Node keeps what it made of them.
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled/', import.meta.url)) };
// Limits for what hangs, and no expectation of how fast a machine is.
const hangsAfterMs = 600_000;
const realProcesses = { env, testTimeout: hangsAfterMs, hookTimeout: hangsAfterMs, expect: { poll: { timeout: 120_000 } } };
const contractTimeouts = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } };
const inTurn = { fileParallelism: false, maxWorkers: 1, maxConcurrency: 1 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: named('').map(() => '{system,harness,scenarios,dashboards}/**/*.test.ts'),
          exclude: [...everyKind, packages],
          testTimeout: 120_000,
        },
      },
      { test: { name: 'contract', include: named('contract'), ...contractTimeouts } },
      { test: { name: 'simulation', include: named('simulation'), testTimeout: 120_000 } },
      {
        test: {
          name: 'e2e',
          include: named('e2e'),
          exclude: everyOtherE2e,
          ...realProcesses,
          maxWorkers: e2eWorkers,
          maxConcurrency: 4,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'measure', include: named('measure.e2e'), ...realProcesses, ...inTurn, sequence: { groupOrder: 2 } } },
      { test: { name: 'long', include: ['long', 'long.e2e'].flatMap(named), ...realProcesses, ...inTurn, sequence: { groupOrder: 3 } } },
    ],
  },
});
