/** `npm run fuzz`. */

import { request } from 'undici';
import type { Argv, CommandModule } from 'yargs';
import { onEndSignals } from '#harness/end-signals.ts';
import { readCredentials } from '#harness/topology/credentials.ts';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import { startScratchService } from '#harness/topology/scratch-service.ts';
import { targetTrouble } from '#harness/topology/target-url.ts';
import { UsageError } from '#harness/usage-error.ts';
import { createReceiver, type Receiver } from '#harness/webhooks/receiver.ts';
import { askCase, createAgent, prepare } from './asking.ts';
import { createCases, type FuzzCase } from './cases.ts';
import { type OpenApi, type Route, routesOf } from './description.ts';
import { createEnds } from './ends.ts';
import { createExpectations, type FuzzAnswer } from './expectations.ts';
import { createKnown, type Known } from './known.ts';

type FuzzArguments = {
  seed?: number | undefined;
  case?: number | undefined;
  count: number;
  target?: string | undefined;
  credentials?: string | undefined;
  twin?: string | undefined;
};

export const fuzzCommand: CommandModule<object, FuzzArguments> = {
  command: 'fuzz',
  describe: 'ask what the description says, and nearly',
  builder: (yargs) =>
    yargs
      .option('seed', { type: 'number', describe: 'the same seed makes the same cases; by chance without it' })
      .option('case', { type: 'number', describe: 'ask this case of the seed alone, and show it' })
      .option('count', { type: 'number', default: 2000, describe: 'how many cases; 1000000 for a night' })
      .option('target', { type: 'string', describe: 'URL of a service that runs; without it one is started' })
      .option('credentials', { type: 'string', describe: "file with the target's accounts, two of them" })
      .option('twin', { type: 'string', describe: 'start the service with this fault of system/twins' })
      .conflicts('target', 'twin')
      .epilogue('Exit code 0 without a finding, 1 with one, 2 for a usage error, 130 when interrupted.') as Argv<FuzzArguments>,
  handler: async (args) => {
    process.exitCode = await fuzz(args);
  },
};

const countMax = 100_000_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

function troubleOf({ seed, case: number, count, target, credentials }: FuzzArguments): string | undefined {
  if (seed !== undefined && !Number.isSafeInteger(seed)) return '--seed has to be a whole number';
  if (!Number.isInteger(count) || count < 1 || count > countMax) return `--count has to be a whole number from 1 to ${countMax}`;
  if (number !== undefined && (seed === undefined || !Number.isInteger(number) || number < 0))
    return '--case is the number of a case of a seed: give --seed too';
  if (target !== undefined && credentials === undefined) return '--target needs --credentials FILE with two accounts';
  return target === undefined ? undefined : targetTrouble(target);
}

async function fuzz(args: FuzzArguments): Promise<number> {
  const trouble = troubleOf(args);
  if (trouble !== undefined) {
    say(trouble);
    return 2;
  }
  const stop = new AbortController();
  onEndSignals(() => (stop.signal.aborted ? process.exit(130) : stop.abort()));
  const seed = args.seed ?? Math.floor(Math.random() * 1_000_000);
  const target = await openTarget(args);
  try {
    const [account, stranger] = target.accounts;
    if (account === undefined || stranger === undefined) throw new UsageError(`the fuzz needs two accounts, and ${args.credentials} has one`);
    const description = (await (await request(`${target.url}/openapi.json`)).body.json()) as OpenApi;
    const findings = await run({ args, seed, target, account, stranger, routes: routesOf(description), signal: stop.signal });
    return stop.signal.aborted ? 130 : findings > 0 ? 1 : 0;
  } finally {
    await target.close();
  }
}

type Target = {
  readonly url: string;
  readonly accounts: readonly AccountCredentials[];
  /** Where a webhook may lead, and how it is confirmed: nowhere with a service that runs elsewhere. */
  readonly introduce: (known: Known) => void;
  /** A sentence where a process of it has ended since the last look. */
  readonly trouble: () => string | undefined;
  readonly close: () => Promise<void>;
};

async function openTarget({ target, credentials, twin }: FuzzArguments): Promise<Target> {
  if (target !== undefined && credentials !== undefined)
    return {
      url: target.replace(/\/+$/, ''),
      accounts: readCredentials(credentials),
      introduce: () => undefined,
      trouble: () => undefined,
      close: async () => undefined,
    };
  const receiver = await createReceiver();
  const env = { HEADROOM_WEBHOOK_ALLOW_NETWORKS: `${receiver.host}/32` };
  const { service, accounts, stop } = await startScratchService({ name: 'fuzz', twin, env }).catch(async (error: unknown) => {
    await receiver.stop();
    throw error;
  });
  const { url, workerPids, stderrTail } = service();
  const ended = createEnds(workerPids);
  return {
    url,
    accounts,
    introduce: (known) => introduceReceiver(receiver, known),
    trouble: () => (ended().length === 0 ? undefined : `a worker has ended; the service said:\n${stderrTail()}`),
    close: async () => {
      await stop();
      await receiver.stop();
    },
  };
}

/** Every second webhook is confirmed by its receiver; the others wait for somebody to follow the link. */
function introduceReceiver(receiver: Receiver, known: Known): void {
  for (let i = 0; i < webhooks; i++) {
    const path = `/fuzz-${i}`;
    known.tell('url', receiver.url(path));
    if (i % 2 === 0) continue;
    receiver.react(path, ({ data }) => {
      const token = typeof data.confirm_url === 'string' ? new URL(data.confirm_url).searchParams.get('token') : null;
      if (token !== null) known.tell('token', token);
      return { kind: 'answer', status: 200 };
    });
  }
}

type Running = {
  readonly args: FuzzArguments;
  readonly seed: number;
  readonly target: Target;
  readonly account: AccountCredentials;
  readonly stranger: AccountCredentials;
  readonly routes: readonly Route[];
  readonly signal: AbortSignal;
};

const connections = 16;
const webhooks = 50;
const progressMs = 5000;
/** Of one kind and route: the rest say the same. */
const shownMax = 3;
const findingsMax = 100;

/** How many findings. */
async function run({ args, seed, target, account, stranger, routes, signal }: Running): Promise<number> {
  const agent = createAgent(connections);
  const known = createKnown();
  target.introduce(known);
  const authorizations = await prepare(target.url, { account, stranger, known });
  const caseOf = createCases(routes, seed);
  const expect = createExpectations(routes);
  const statuses: Record<string, number> = {};
  const taken = new Set<Route>();
  const kinds = new Map<string, number>();
  const [first, end] = args.case === undefined ? [0, args.count] : [args.case, args.case + 1];
  let next = first;
  let findings = 0;
  const found = (one: FuzzCase, what: string): void => {
    findings++;
    const kind = `${one.method} ${one.route.path} ${what.slice(0, 40)}`;
    const seen = (kinds.get(kind) ?? 0) + 1;
    kinds.set(kind, seen);
    if (seen <= shownMax) say(`FOUND  ${what}\n       ${shownCase(one)}\n       again: npm run fuzz -- --seed ${seed} --case ${one.number}`);
  };
  const work = async (): Promise<void> => {
    while (next < end && !signal.aborted && findings < findingsMax) {
      const one = caseOf(next++);
      const answer = await askCase(one, { base: target.url, agent, authorizations, known });
      const status = typeof answer === 'string' ? 'none' : answer.status;
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (typeof status === 'number' && status < 300 && one.method === one.route.method) taken.add(one.route);
      const trouble = target.trouble() ?? (typeof answer === 'string' ? answer : expect(one, answer));
      if (trouble !== undefined) found(one, trouble);
      if (args.case !== undefined) say(shownAsked(one, answer));
    }
  };
  say(`seed ${seed}: ${end - first} cases of ${routes.length} routes`);
  const timer = setInterval(() => say(`${next - first} of ${end - first}, ${findings} findings`), progressMs);
  await Promise.all(Array.from({ length: connections }, work));
  clearInterval(timer);
  await agent.destroy();
  process.stdout.write(`seed ${seed}: ${next - first} cases asked, ${findings} findings; statuses ${JSON.stringify(statuses)}\n`);
  if (args.case === undefined) process.stdout.write(`${takenText(routes, taken)}\n`);
  return findings;
}

/** A route that refused everything was not asked much. */
function takenText(routes: readonly Route[], taken: ReadonlySet<Route>): string {
  const others = routes.filter((route) => !taken.has(route)).map(({ method, path }) => `${method} ${path}`);
  return `${taken.size} of ${routes.length} routes took a case${others.length === 0 ? '' : `, and none was taken by ${others.join(', ')}`}`;
}

const shownCase = ({ method, url, credential, headers, body }: FuzzCase): string =>
  `${method} ${url.slice(0, 120)} as ${credential}, ${JSON.stringify(headers).slice(0, 200)}${body === undefined ? '' : `, body ${JSON.stringify(body.toString('latin1')).slice(0, 200)}`}`;

const shownAsked = (one: FuzzCase, answer: FuzzAnswer | string): string =>
  `${shownCase(one)}\n${typeof answer === 'string' ? answer : `${answer.status} ${answer.contentType ?? ''} ${answer.text.slice(0, 2000)}`}`;
