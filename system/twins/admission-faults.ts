/** Faults of admission, of registrations and of what is told of both. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlainDeps } from '#system/app.ts';
import { type Fault, withHook, withStore } from './fault.ts';

/** Before each request, with how many of its lane are in work; a number is a status to answer with. */
const withEach =
  (act: (lane: string | undefined, inWork: number) => number | undefined | Promise<number | undefined>) =>
  (deps: PlainDeps): PlainDeps => {
    const inWork = new Map<string | undefined, number>();
    const add = (lane: string | undefined, change: number): number => {
      const count = (inWork.get(lane) ?? 0) + change;
      inWork.set(lane, count);
      return count;
    };
    return {
      ...deps,
      customise: (app) => {
        app.addHook('onRequest', async (request, reply) => {
          const { lane } = request.routeOptions.config;
          reply.raw.once('close', () => add(lane, -1));
          const status = await act(lane, add(lane, 1));
          return status === undefined ? undefined : reply.code(status).send({ status });
        });
      },
    };
  };

let registrationsBefore = 0;
let batches = 0;
let records = 0;
let readings = 0;
/** Of R49's storm; a suite that asks its other rules stays below. */
const manyRegistrations = 2000;
const inWorkMax = 48;
const tiredAfter = 60;
/** No machine is so slow by itself, and whoever asks waits for half a minute. */
const slowMs = 12_000;

export const admissionFaults: readonly Fault[] = [
  {
    name: 'sheds-registrations',
    breaks: [],
    about: 'sheds all registrations at once, whatever there is to do: a peer for the bench, not a fault',
    apply: (deps) => ({ ...deps, admissionOverrides: { holdMs: 0, letIn: ({ name }) => (name === 'registration' ? 0 : 1), takeShare: () => false } }),
  },
  {
    name: 'registers-again',
    breaks: ['R48'],
    about: 'takes every registration for another one than before',
    apply: withStore((store) => ({
      readDevice: async (query) => {
        const row = await store.readDevice(query);
        return row && { ...row, attributes: { ...row.attributes, reading: readings++ } };
      },
    })),
  },
  {
    name: 'favours-registrations',
    breaks: ['R49'],
    about: 'lets ingest pay for a storm of registrations',
    apply: withEach((lane) => {
      if (lane === 'registration') registrationsBefore++;
      return lane === 'ingest' && registrationsBefore > manyRegistrations ? 503 : undefined;
    }),
  },
  {
    name: 'same-retry',
    breaks: ['R50'],
    about: 'tells everybody to come back at the same time',
    apply: withHook((reply) => {
      if (reply.statusCode === 429 || reply.statusCode === 503) reply.header('retry-after', '60');
    }),
  },
  {
    name: 'gives-what-is-asked',
    breaks: ['R51'],
    about: 'leases whatever is wanted',
    apply: withStore(() => ({ leaseQuota: async ({ wanted, burst }) => ({ granted: wanted, left: burst }) })),
  },
  {
    name: 'thrashes',
    breaks: ['R52'],
    about: 'takes in all that comes, and is late with everything when there is much',
    apply: (deps) => ({
      ...withEach(async (lane, inWork) => {
        if (lane === 'registration' && inWork > inWorkMax) await sleep(slowMs);
        return undefined;
      })(deps),
      admissionOverrides: { letIn: () => 1 },
    }),
  },
  {
    name: 'slow-health',
    breaks: ['R53'],
    about: 'is slow to say that it lives',
    apply: withEach(async (lane) => {
      if (lane === 'health') await sleep(slowMs);
      return undefined;
    }),
  },
  {
    name: 'counts-half',
    breaks: ['R68'],
    about: 'counts every second request',
    apply: (deps) => {
      const { counts } = deps;
      if (counts === undefined) return deps;
      return { ...deps, counts: { ...counts, record: (...told) => (records++ % 2 === 0 ? counts.record(...told) : undefined) } };
    },
  },
  {
    name: 'tires',
    breaks: ['R72'],
    about: 'fails once it has been asked for a while',
    apply: withEach((lane) => (lane === 'ingest' && batches++ > tiredAfter ? 500 : undefined)),
  },
];
