/** Appends on their way to the writing thread: a group goes over in one message, as one buffer in the form of the log. */
import type { AppendCommand, AppendResult } from '#system/store/store.ts';
import { blockBytesMax, writeBlock } from './codec.ts';
import { createCompany } from './company.ts';
import { eventsPerBatchMax } from './direct-store.ts';
import type { Thread } from './thread.ts';

export type AppendQueue = {
  readonly add: (command: AppendCommand) => Promise<AppendResult>;
  /** Sends what waits, at once. */
  readonly send: () => void;
};

/** Monotonic time and the two ways to wait, so that a test decides when it is. */
export type QueueTimers = {
  readonly nowMs: () => number;
  /** When this turn of the event loop has read what it has. */
  readonly afterTurn: (run: () => void) => void;
  readonly afterMillisecond: (run: () => void) => void;
};

const realTimers: QueueTimers = {
  nowMs: () => performance.now(),
  afterTurn: (run) => void setImmediate(run),
  afterMillisecond: (run) => void setTimeout(run, 1),
};

type Queued = {
  readonly command: AppendCommand;
  readonly succeed: (result: AppendResult) => void;
  readonly fail: (error: unknown) => void;
};

export function createAppendQueue({ ask }: Pick<Thread, 'ask'>, timers = realTimers): AppendQueue {
  const company = createCompany();
  let group: Queued[] = [];
  let begunAtMs = 0;
  const send = (): void => {
    const sent = group;
    group = [];
    for (const part of parts(sent)) {
      sendPart(ask, part).then(
        (results) => part.forEach(({ succeed }, i) => void succeed(results[i] as AppendResult)),
        (error: unknown) => part.forEach(({ fail }) => void fail(error)),
      );
    }
  };
  const look = (looked: readonly Queued[]): void => {
    // A group that was sent before its time left an empty one, or the next one, in its place.
    if (looked !== group) return;
    const isWorthIt = company.isWorthWaiting({ commands: group.length, begunAtMs, nowMs: timers.nowMs() });
    if (isWorthIt) timers.afterMillisecond(() => look(looked));
    else send();
  };
  return {
    add: (command) =>
      new Promise((succeed, fail) => {
        const nowMs = timers.nowMs();
        company.came(nowMs);
        group.push({ command, succeed, fail });
        if (group.length > 1) return;
        begunAtMs = nowMs;
        const begun = group;
        timers.afterTurn(() => look(begun));
      }),
    send,
  };
}

function sendPart(ask: Thread['ask'], part: readonly Queued[]): Promise<readonly AppendResult[]> {
  const room = part.reduce((sum, { command }) => sum + blockBytesMax(command), 0);
  const bytes = Buffer.from(new ArrayBuffer(room));
  let events = 0;
  let at = 0;
  for (const { command } of part) {
    at = writeBlock(bytes, at, command);
    events += command.events.length;
  }
  const extras = part.map(({ command: { rejectedCount, idempotency } }) => (idempotency === undefined ? { rejectedCount } : { rejectedCount, idempotency }));
  return ask((id) => ({ kind: 'append', id, bytes, events, extras }), [bytes.buffer as ArrayBuffer]);
}

/** Commands that wait together, in messages that each fit one record. */
function parts(group: readonly Queued[]): readonly (readonly Queued[])[] {
  if (group.length === 0) return [];
  const all: Queued[][] = [[]];
  let events = 0;
  for (const each of group) {
    events += each.command.events.length;
    if (events > eventsPerBatchMax) {
      all.push([]);
      events = each.command.events.length;
    }
    all.at(-1)?.push(each);
  }
  return all;
}
