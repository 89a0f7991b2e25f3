/** Faults by name, each a change of the app's deps. */
import type { Principal } from '#system/accounts/tokens.ts';
import type { PlainDeps } from '#system/app.ts';
import { asIs } from '#system/exchange.ts';
import type { AppendReceipt } from '#system/store/store.ts';
import { admissionFaults } from './admission-faults.ts';
import { type Fault, withHook, withStore } from './fault.ts';
import { graphqlFaults } from './graphql-faults.ts';
import { pipelineFaults } from './pipeline-faults.ts';
import { streamFaults } from './stream-faults.ts';
import { webhookFaults } from './webhook-faults.ts';

let isAskedToKeep = false;

/** From the first batch on: the account, the signing key, a device's registration and what the service writes of itself come through before it. */
const onceAsked =
  (trouble: () => Promise<void>): ((real: () => Promise<void>) => Promise<void>) =>
  (real) =>
    isAskedToKeep ? trouble() : real();

const noticeIngest = (deps: PlainDeps): PlainDeps => ({
  ...deps,
  customise: (app) =>
    app.addHook('onRequest', (request, _reply, done) => {
      if (request.routeOptions.config.lane === 'ingest') isAskedToKeep = true;
      done();
    }),
});

const pretend = (accepted: number): AppendReceipt & { kind: 'appended' } => ({ kind: 'appended', accepted, duplicate: 0, position: '0000000000000001' });

let appended = 0;
const rewritten = (json: Uint8Array): Uint8Array => Buffer.from(JSON.stringify(JSON.parse(Buffer.from(json).toString('utf8'))));
const keptBombs: Buffer[] = [];
const keptBombBytes = 8 * 2 ** 20;

const answerConstant = (deps: PlainDeps): PlainDeps => ({
  ...deps,
  customise: (app) => {
    const body = '{"accepted":1,"duplicate":0,"rejected":[],"position":"0000000000000001","durability":"none"}';
    app.addHook('preHandler', (request, reply, done) => {
      if (request.routeOptions.config.lane !== 'ingest') return done();
      reply.code(202).type('application/json; charset=utf-8').serializer(asIs).send(body);
    });
  },
});

export const faults: readonly Fault[] = [
  ...pipelineFaults,
  ...streamFaults,
  ...graphqlFaults,
  ...admissionFaults,
  ...webhookFaults,
  {
    name: 'constant',
    breaks: [],
    about: 'answers a constant after the same hooks: a peer, not a fault',
    apply: answerConstant,
  },
  {
    name: 'uncounted',
    breaks: [],
    about: 'the constant answer without telemetry: a peer, not a fault',
    apply: (deps) => ({ ...answerConstant(deps), counts: undefined }),
  },
  {
    name: 'drops-acknowledged',
    breaks: ['R1', 'R2'],
    about: 'acknowledges every twentieth batch and stores nothing of it',
    apply: withStore((store) => ({ append: (command) => (++appended % 20 === 0 ? Promise.resolve(pretend(command.events.length)) : store.append(command)) })),
  },
  {
    name: 'rewrites-what-it-keeps',
    breaks: ['R73'],
    about: 'stores items and events as it would write what it read in them',
    apply: withStore((store) => ({
      append: (command) => store.append({ ...command, events: command.events.map((event) => ({ ...event, bytes: rewritten(event.bytes) })) }),
      change: (command) => store.change(command.bytes === undefined ? command : { ...command, bytes: rewritten(command.bytes) }),
    })),
  },
  {
    name: 'rewrites-what-it-shows',
    breaks: ['R73'],
    about: 'parses the JSON of its answers and writes it anew, but for items and their changes',
    apply: (deps) => ({
      ...deps,
      customise: (app) =>
        app.addHook('onSend', async (request, reply, payload) =>
          typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('application/json') && !request.url.startsWith('/v1/sync/')
            ? JSON.stringify(JSON.parse(payload))
            : payload,
        ),
    }),
  },
  {
    name: 'counts-wrongly',
    breaks: ['R6'],
    about: 'says that it accepted one more than it did',
    apply: withStore((store) => ({
      append: async (command) => {
        const result = await store.append(command);
        return result.kind === 'appended' ? { ...result, accepted: result.accepted + 1 } : result;
      },
    })),
  },
  {
    name: 'forgets-duplicates',
    breaks: ['R3', 'R4', 'R10'],
    about: 'stores what it has again, under another id inside',
    apply: withStore((store) => ({
      append: (command) => store.append({ ...command, events: command.events.map((event) => ({ ...event, id: `${event.id}~${appended++}` })) }),
    })),
  },
  {
    name: 'ignores-keys',
    breaks: ['R5'],
    about: 'takes no notice of an Idempotency-Key',
    apply: withStore((store) => ({ append: ({ idempotency: _, ...command }) => store.append(command) })),
  },
  {
    name: 'swaps-order',
    breaks: ['R6', 'R9'],
    about: 'stores a batch from its end',
    apply: withStore((store) => ({ append: (command) => store.append({ ...command, events: [...command.events].reverse() }) })),
  },
  {
    name: 'blurs-sizes',
    breaks: ['R7', 'R8', 'R71'],
    about: 'answers 400 where 413 is right',
    apply: withHook((reply) => {
      if (reply.statusCode === 413) reply.code(400);
    }),
  },
  {
    name: 'keeps-bombs',
    breaks: ['R8'],
    about: 'has memory for each body that it refuses as too large, and keeps it',
    apply: withHook((reply) => {
      if (reply.statusCode === 413) keptBombs.push(Buffer.alloc(keptBombBytes, 1));
    }),
  },
  {
    name: 'believes-tokens',
    breaks: ['R46'],
    about: 'takes the claims of a token whose signature it did not check',
    apply: (deps) => ({ ...deps, tokens: { ...deps.tokens, verify: (token) => deps.tokens.verify(token) ?? claimsOf(token) } }),
  },
  {
    name: 'remembers-tokens',
    breaks: ['R46'],
    about: 'believes a token for ever once it was valid',
    apply: (deps) => {
      const seen = new Map<string, Principal>();
      const verify = (token: string): Principal | undefined => {
        const principal = deps.tokens.verify(token) ?? seen.get(token);
        if (principal !== undefined) seen.set(token, principal);
        return principal;
      };
      return { ...deps, tokens: { ...deps.tokens, verify } };
    },
  },
  {
    name: 'leaks-accounts',
    breaks: ['R47'],
    about: 'exports the events of every account to each',
    apply: withStore((store) => ({ readLog: ({ account: _, ...query }) => store.readLog(query) })),
  },
  {
    name: 'exports-gaps',
    breaks: [],
    about: 'leaves events out of the export that history has: the harness may not call them lost',
    apply: withStore((store) => ({
      readLog: async (query) => {
        const page = await store.readLog(query);
        // The pipeline reads without an account.
        return query.account === undefined ? page : { ...page, events: page.events.filter(({ id }) => id.charCodeAt(id.length - 3) % 10 !== 0) };
      },
    })),
  },
  {
    name: 'bills-duplicates',
    breaks: ['R70'],
    about: 'counts what it had already as used again',
    apply: (deps) => {
      let extra = 0;
      const { append, readUsage } = deps.store;
      return withStore(() => ({
        append: async (command) => {
          const result = await append(command);
          if (result.kind === 'appended') extra += result.duplicate;
          return result;
        },
        readUsage: async (query) => (await readUsage(query)).map((day) => ({ ...day, events: day.events + extra })),
      }))(deps);
    },
  },
  {
    name: 'forgets-calls',
    breaks: ['R70'],
    about: 'loses one of ten calls between its memory and the store',
    apply: withStore((store) => ({ putMetered: (metered) => store.putMetered({ ...metered, calls: Math.floor(metered.calls * 0.9) }) })),
  },
  {
    name: 'plain-errors',
    breaks: ['R65'],
    about: 'calls its problem documents text',
    apply: withHook((reply) => {
      if (reply.statusCode >= 400) reply.type('text/plain');
    }),
  },
  {
    name: 'acknowledges-early',
    breaks: ['R11'],
    about: 'answers before the store did',
    apply: withStore((store) => ({
      append: (command) => {
        store.append(command).catch(() => undefined);
        return Promise.resolve(pretend(command.events.length));
      },
    })),
  },
  {
    name: 'favours-the-probe',
    breaks: [],
    about: 'is quick to the probe and 60 ms slower to everybody else: a generator that measures itself looks like that',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('preHandler', (request, _, done) => {
          if (request.routeOptions.config.lane !== 'ingest' || probesEvent.test(String(request.body))) done();
          else setTimeout(done, favourMs);
        });
      },
    }),
  },
  {
    name: 'answers-later',
    breaks: [],
    about: 'answers each batch of events 30 ms later than the service does: a peer for the bench, not a fault',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('preHandler', (request, _, done) => {
          if (request.routeOptions.config.lane === 'ingest') setTimeout(done, laterMs);
          else done();
        });
      },
    }),
  },
  {
    name: 'flush-hangs',
    breaks: [],
    about: 'a disk whose flush never returns from the first batch on',
    apply: noticeIngest,
    flush: onceAsked(() => new Promise(() => undefined)),
  },
  {
    name: 'flush-fails',
    breaks: [],
    about: 'a disk whose flush fails from the first batch on',
    apply: noticeIngest,
    flush: onceAsked(() => Promise.reject(new Error('EIO: i/o error, fdatasync'))),
  },
];

function claimsOf(token: string): Principal | undefined {
  try {
    const { acc, sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { acc?: string; sub?: string };
    return acc === undefined || sub === undefined
      ? undefined
      : { kind: 'device', account: acc, device: sub, user: undefined, generation: 1, expiresAtMs: Number.POSITIVE_INFINITY };
  } catch {
    return undefined;
  }
}

// The probe's events are named after its run's, with a p behind it.
const probesEvent = /"id":"[0-9a-z]{12}p-/;
const favourMs = 60;
const laterMs = 30;
