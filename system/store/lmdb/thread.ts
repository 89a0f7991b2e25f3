/** The writing thread as the serving one sees it: questions with a deadline. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '#system/store/store.ts';
import type { TimeAnchor } from '#system/store/store-time.ts';
import type { Failure, FromThread, ThreadData, ToThread } from './messages.ts';

export type ThreadOptions = {
  readonly data: ThreadData;
  readonly flushTimeoutMs: number;
  readonly onTrouble?: ((trouble: StoreUnavailable) => void) | undefined;
  /** Told once: this process will not write any more, another one may. */
  readonly onLost?: ((trouble: StoreUnavailable) => void) | undefined;
  readonly onCompanionTrouble?: ((text: string) => void) | undefined;
  readonly onCompanionSays?: ((news: unknown) => void) | undefined;
  /** Stands between the commit and the answer. */
  readonly flush?: ((real: () => Promise<void>) => Promise<void>) | undefined;
};

export type Thread = {
  readonly anchor: TimeAnchor;
  /** Rejects with StoreUnavailable where the answer to a command is late; while one is, nothing new is asked. A read or a backup may take its time. */
  readonly ask: <T>(make: (id: number) => ToThread, transfer?: readonly ArrayBuffer[]) => Promise<T>;
  /** Resolves when the thread has finished what it was asked, and ended. */
  readonly close: () => Promise<void>;
};

type Asked = {
  readonly isRead: boolean;
  readonly succeed: (result: unknown) => void;
  readonly fail: (error: unknown) => void;
  readonly deadline: NodeJS.Timeout | undefined;
};

export async function startThread(options: ThreadOptions): Promise<Thread> {
  const { worker, anchor } = await openWorker(options.data);
  const asked = new Map<number, Asked>();
  const overdue = new Set<number>();
  let nextId = 0;
  let ended: StoreUnavailable | undefined;
  let closing = false;

  let lost = false;
  const lose = (trouble: StoreUnavailable): void => {
    if (lost || closing) return;
    lost = true;
    options.onLost?.(trouble);
  };

  const told = (error: unknown): unknown => {
    if (error instanceof StoreUnavailable && error.trouble !== 'closed') options.onTrouble?.(error);
    return error;
  };

  async function settle(message: Extract<FromThread, { id: number }>): Promise<void> {
    const waiting = asked.get(message.id);
    asked.delete(message.id);
    if (waiting === undefined) return;
    clearTimeout(waiting.deadline);
    if (overdue.delete(message.id)) return;
    if (message.kind === 'failed') return waiting.fail(waiting.isRead ? errorOf(message.failure) : told(errorOf(message.failure)));
    if (message.kind === 'was-read') return waiting.succeed(message.result);
    try {
      if (options.flush) await limited(options.flush, options.flushTimeoutMs);
      waiting.succeed(message.kind === 'appended' ? message.results : message.result);
    } catch (error) {
      waiting.fail(told(error));
    }
  }

  /** Reads that wait behind a command that is late are refused with it. */
  function beLate(late: number): void {
    overdue.add(late);
    const error = told(lateError(options.flushTimeoutMs));
    for (const [id, { isRead, fail }] of asked) if (isRead || id === late) fail(error);
    for (const [id, { isRead }] of asked) if (isRead) asked.delete(id);
  }

  function end(reason: StoreUnavailable): void {
    lose(reason);
    ended ??= reason;
    for (const { fail, deadline } of asked.values()) {
      clearTimeout(deadline);
      fail(told(ended));
    }
    asked.clear();
    overdue.clear();
  }

  worker.on('message', (message: FromThread) => {
    if ('id' in message) void settle(message);
    else if (message.kind === 'lost') lose(errorOf(message.failure) as StoreUnavailable);
    else if (message.kind === 'companion-says') options.onCompanionSays?.(message.news);
    else if (message.kind === 'companion-trouble') options.onCompanionTrouble?.(message.failure.text);
  });
  worker.on('error', (cause) => end(new StoreUnavailable('flush-failed', `The writing thread ended: ${String(cause)}`, { cause })));
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      end(closing ? closedError() : new StoreUnavailable('flush-failed', 'The writing thread ended by itself.'));
      resolve();
    });
  });

  return {
    anchor,
    ask: <T>(make: (id: number) => ToThread, transfer: readonly ArrayBuffer[] = []) =>
      new Promise<T>((resolve, reject) => {
        const refusal = ended ?? (closing ? closedError() : overdue.size > 0 ? lateError(options.flushTimeoutMs) : undefined);
        if (refusal !== undefined) return reject(refusal);
        const id = nextId++;
        const message = make(id);
        const deadline = isFlushed(message) ? setTimeout(() => beLate(id), options.flushTimeoutMs) : undefined;
        asked.set(id, { isRead: message.kind === 'read', succeed: (result) => resolve(result as T), fail: reject, deadline });
        worker.postMessage(message, [...transfer]);
      }),
    close: () => {
      closing = true;
      worker.postMessage({ kind: 'close' } satisfies ToThread);
      return exited;
    },
  };
}

/** A backup writes elsewhere, beside everything else, and takes as long as the data are large. */
const isFlushed = (message: ToThread): boolean => message.kind === 'append' || (message.kind === 'command' && message.name !== 'backup');

const living = new Set<Worker>();

// A process that exits cuts its threads off where they are. One that is within a transaction then holds lmdb's locks while its own
// clean-up waits for them: the process is never gone, and no other one can write. From one that is killed lmdb takes them back.
process.on('exit', () => {
  if (living.size > 0) process.kill(process.pid, 'SIGKILL');
});

async function openWorker(data: ThreadData): Promise<{ readonly worker: Worker; readonly anchor: TimeAnchor }> {
  const worker = new Worker(new URL('./store-thread.ts', import.meta.url), { workerData: data, name: 'store' });
  living.add(worker);
  worker.once('exit', () => living.delete(worker));
  try {
    // Rejects with its error.
    const [first] = (await once(worker, 'message')) as [FromThread];
    if (first.kind === 'opened') return { worker, anchor: first.anchor };
    const error = errorOf(first.kind === 'not-opened' ? first.failure : { trouble: undefined, text: first.kind });
    throw error instanceof StoreUnavailable ? error : new StoreUnavailable('unwritable', `The store cannot be opened: ${error.message}`);
  } catch (error) {
    // It holds nothing, and the process may end as it wants to.
    living.delete(worker);
    throw error;
  }
}

export const closedError = (): StoreUnavailable => new StoreUnavailable('closed', 'The store was closed.');
const lateError = (flushTimeoutMs: number): StoreUnavailable =>
  new StoreUnavailable('flush-timeout', `What was written did not reach the disk within ${flushTimeoutMs} ms.`);
const errorOf = ({ trouble, text }: Failure): Error => (trouble === undefined ? new Error(text) : new StoreUnavailable(trouble, text));

async function limited(flush: (real: () => Promise<void>) => Promise<void>, flushTimeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(lateError(flushTimeoutMs)), flushTimeoutMs);
  });
  try {
    await Promise.race([flush(async () => {}), late]);
  } catch (cause) {
    throw cause instanceof StoreUnavailable ? cause : new StoreUnavailable('flush-failed', `The flush failed: ${String(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
