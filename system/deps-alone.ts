/** What an app has that is alone in its process, over the memory store: for tests. */
import { createTokens } from './accounts/tokens.ts';
import type { PlainDeps } from './app.ts';
import { createBus } from './bus.ts';
import { systemClock } from './clock.ts';
import { createMemoryStore } from './store/memory/memory-store.ts';
import { createOwnPermits } from './stream/permits.ts';
import { createCounts } from './telemetry/counts.ts';

export function depsAlone({ clock = systemClock, ...change }: Partial<PlainDeps> = {}): PlainDeps {
  return {
    store: createMemoryStore({ clock }),
    tokens: createTokens({ key: 'k'.repeat(43), clock }),
    bus: createBus(),
    clock,
    counts: createCounts(),
    autoRegistration: true,
    metrics: async () => '',
    isDraining: () => false,
    isClosing: () => false,
    // The check comes later than any test waits: what arrives, arrives by a poke.
    streams: { ageMs: 600_000, positionCheckMs: 600_000, presenceTimeoutMs: 120_000 },
    balancerIdleTimeoutMs: 60_000,
    streamsMax: 1000,
    permits: createOwnPermits(),
    log: () => undefined,
    ...change,
  };
}
