/** The run's side of those who listen: starts the processes that hold them, tells them when phases begin, passes on what they saw. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Numbered } from '#harness/engine/message-row.ts';
import { wireFlags } from '#harness/engine/native/wire/open-wires.ts';
import type { Acknowledgements, StreamDelta } from '#harness/run-result.ts';
import { HolderMessages, type Said } from './holder-messages.ts';
import type { Comparison, FromHolder, HolderInput, PhaseStart, PopulationNow, ToHolder, UserLog } from './messages.ts';
import { PresenceBook, type PresenceSample } from './presence-book.ts';

export type FleetInput = Omit<HolderInput, 'process' | 'reportsSilenced'>;

export type FleetEvents = {
  readonly onDelta: (delta: StreamDelta) => void;
  readonly onPresence: (sample: PresenceSample) => void;
};

export type StreamFleet = {
  readonly pids: readonly number[];
  readonly phase: (start: PhaseStart) => void;
  readonly acknowledged: (acknowledged: Acknowledgements) => void;
  /** As the processes said last. */
  readonly now: () => PopulationNow;
  /** Set once a process ended by itself. */
  readonly trouble: () => string | undefined;
  /** Slow and stopped readers read as everybody does from now on. */
  readonly release: () => void;
  readonly compare: (logs: readonly UserLog[], withinMs: number) => Promise<Comparison>;
  /** Hands over the last counts, closes every stream, ends the processes. Never rejects. */
  readonly finish: () => Promise<void>;
  readonly kill: () => void;
};

const nobody: PopulationNow = { wanted: 0, live: 0, opening: 0, waiting: 0 };
const finishMsMax = 10_000;
/** Beyond what the comparison itself may wait: for the logs on their way there and the sums on their way back. */
const compareMarginMs = 60_000;
/** V8's young space would grow to 16 MiB while thousands of listeners are made, three times what they take themselves. */
const youngMibMax = 2;

/** Rejects with a sentence where a process does not come up. */
export async function startFleet(input: FleetInput, events: FleetEvents): Promise<StreamFleet> {
  const presence = new PresenceBook(events.onPresence);
  const holders = Array.from({ length: input.processes }, (_, process) => startHolder({ process, input, events, presence }));
  try {
    await Promise.all(holders.map((holder) => holder.hear('ready')));
  } catch (error) {
    for (const { child } of holders) child.kill('SIGKILL');
    throw error;
  }
  const tellAll = (message: ToHolder): void => holders.forEach(({ tell }) => void tell(message));
  return {
    pids: holders.map(({ child }) => child.pid as number),
    phase: (start) => tellAll({ kind: 'phase', ...start }),
    acknowledged: (acknowledged) => tellAll({ kind: 'acknowledged', acknowledged }),
    now: () => holders.map(({ now }) => now()).reduce(addPopulations, nobody),
    trouble: () => holders.map(({ trouble }) => trouble()).find((text) => text !== undefined),
    release: () => tellAll({ kind: 'release' }),
    compare: async (logs, withinMs) => {
      const compared = Promise.all(holders.map((holder) => holder.hear('compared')));
      tellAll({ kind: 'compare', logs, withinMs });
      return (await within(compared, withinMs + compareMarginMs)).map(({ comparison }) => comparison).reduce(addComparisons);
    },
    finish: async () => {
      const finished = holders.map((holder) => holder.hear('finished'));
      tellAll({ kind: 'finish' });
      // Of one that is dead `trouble` tells: the others have counts to hand over and channels to be closed all the same.
      await within(Promise.allSettled(finished), finishMsMax).catch(() => undefined);
      await Promise.all(holders.map(({ end }) => end()));
    },
    kill: () => holders.forEach(({ child }) => void child.kill('SIGKILL')),
  };
}

/** Rejects with a sentence where a process has not answered by then: a message may have been lost, and a run may not wait for it for ever. */
async function within<T>(answers: Promise<T>, waitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`a process that holds streams did not answer within ${waitMs / 1000} s`)), waitMs);
  return Promise.race([answers, late.promise]).finally(() => clearTimeout(timer));
}

const addPopulations = (a: PopulationNow, b: PopulationNow): PopulationNow => ({
  wanted: a.wanted + b.wanted,
  live: a.live + b.live,
  opening: a.opening + b.opening,
  waiting: a.waiting + b.waiting,
});

const addComparisons = (a: Comparison, b: Comparison): Comparison => ({
  readers: a.readers + b.readers,
  expected: a.expected + b.expected,
  seen: a.seen + b.seen,
  lost: a.lost + b.lost,
  duplicated: a.duplicated + b.duplicated,
  examples: [...a.examples, ...b.examples].slice(0, 10),
  accused: [...a.accused, ...b.accused],
});

type HolderProcess = {
  readonly child: ChildProcess;
  readonly tell: (message: ToHolder) => void;
  /** The next message of a kind. Rejects where the process ended. */
  readonly hear: <K extends FromHolder['kind']>(kind: K) => Promise<Said<K>>;
  readonly now: () => PopulationNow;
  readonly trouble: () => string | undefined;
  readonly end: () => Promise<void>;
};

type Starting = { readonly process: number; readonly input: FleetInput; readonly events: FleetEvents; readonly presence: PresenceBook };

function startHolder({ process, input, events, presence }: Starting): HolderProcess {
  const child = fork(fileURLToPath(new URL('./holder-process.ts', import.meta.url)), [], {
    execArgv: [`--max-semi-space-size=${youngMibMax}`, ...wireFlags()],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  let now = nobody;
  let trouble: string | undefined;
  let isEnding = false;
  let hasFinished = false;
  const fail = (text: string): void => {
    if (!isEnding) trouble ??= text;
    messages.fail(text);
  };
  const messages = new HolderMessages((message) => {
    if (message.kind === 'delta') {
      now = message.now;
      events.onDelta(message.delta);
    } else if (message.kind === 'silenced') presence.closed(message.device, message);
    else if (message.kind === 'presence') presence.told(message.device, message.online, message.atMs);
    else if (message.kind === 'failed') fail(message.text);
    else if (message.kind === 'finished') hasFinished = true;
  });
  child.on('message', (numbered: Numbered<FromHolder>) => messages.hear(numbered));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void exited.then(() => {
    fail('a process that holds streams ended by itself; its last words stand above');
  });
  const tell = (message: ToHolder): void => void (child.connected && child.send(message, () => undefined));
  const { watchers, ...rest } = input;
  tell({ kind: 'begin', input: { ...rest, process, watchers: process === 0 ? watchers : [], reportsSilenced: watchers.length > 0 } });
  return {
    child,
    tell,
    now: () => now,
    trouble: () => trouble,
    hear: async (kind) => {
      if (trouble !== undefined) throw new Error(trouble);
      return messages.next(kind);
    },
    end: async () => {
      isEnding = true;
      // With the last message every other one has come, or never will.
      if (!hasFinished) trouble ??= 'a process that holds streams did not hand over its last counts';
      else if (messages.missing > 0) trouble ??= `${messages.missing} messages of a process that holds streams are missing: what it saw is not whole`;
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), finishMsMax);
      await exited;
      clearTimeout(timer);
    },
  };
}
