/**
 * Commands that wait together share one transaction and one flush. LMDB commits and flushes in one native call on this thread
 * (asynchronous transactions of lmdb 3.5.6 did not come back on Node 26: README), so a promise resolves after `fdatasync` returned.
 */
import { type StoreTrouble, StoreUnavailable } from '#system/store/store.ts';

/** A command as the transaction runs it. */
export type Job<T> = () => T;
export type Commit = (jobs: readonly (() => void)[]) => void;
export type GroupCommitOptions = {
  readonly commit: Commit;
  readonly flushTimeoutMs: number;
  readonly maxJobs: number;
  readonly onTrouble?: ((trouble: StoreUnavailable) => void) | undefined;
  readonly flush?: ((real: () => Promise<void>) => Promise<void>) | undefined;
};
type Waiting = { readonly run: () => void; readonly done: () => void; readonly fail: (error: unknown) => void };

export type GroupCommit = { readonly submit: <T>(job: Job<T>) => Promise<T>; readonly close: () => Promise<void> };

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  let queue: Waiting[] = [];
  let busy = false;
  let closed = false;
  const idle: (() => void)[] = [];

  /** After a real flush failed the kernel may call lost pages clean: no later success proves anything until the process starts anew. */
  let lost: StoreUnavailable | undefined;

  function commit(group: readonly Waiting[]): void {
    if (lost) throw lost;
    try {
      options.commit(group.map((job) => job.run));
    } catch (error) {
      const trouble = asTrouble(error);
      if (trouble instanceof StoreUnavailable && trouble.trouble === 'flush-failed') lost = trouble;
      throw trouble;
    }
  }

  async function runGroup(): Promise<void> {
    const group = queue.slice(0, options.maxJobs);
    queue = queue.slice(options.maxJobs);
    try {
      commit(group);
      if (options.flush)
        await limited(
          options.flush(async () => {}),
          options.flushTimeoutMs,
        );
      for (const job of group) job.done();
    } catch (error) {
      const trouble = asTrouble(error);
      if (trouble instanceof StoreUnavailable) options.onTrouble?.(trouble);
      // Who waits behind a failed flush is refused too, rather than kept until the next one has failed as well.
      for (const job of trouble instanceof StoreUnavailable ? [...group, ...queue.splice(0)] : group) job.fail(trouble);
    }
    if (queue.length > 0) setImmediate(() => void runGroup());
    else {
      busy = false;
      for (const wake of idle.splice(0)) wake();
    }
  }

  return {
    submit: <T>(job: Job<T>) =>
      new Promise<T>((resolve, reject) => {
        if (closed) return reject(new StoreUnavailable('closed', 'The store was closed.'));
        let result: T;
        queue.push({
          run: () => {
            result = job();
          },
          done: () => resolve(result),
          fail: reject,
        });
        if (busy) return;
        busy = true;
        // Not at once: what the same turn of the event loop still reads from its sockets joins the group.
        setImmediate(() => void runGroup());
      }),
    close: async () => {
      closed = true;
      if (busy) await new Promise<void>((wake) => idle.push(wake));
    },
  };
}

async function limited(flush: Promise<void>, flushTimeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable('flush-timeout', `The flush took longer than ${flushTimeoutMs} ms.`)), flushTimeoutMs);
  });
  try {
    await Promise.race([flush, late]);
  } catch (cause) {
    throw cause instanceof StoreUnavailable ? cause : new StoreUnavailable('flush-failed', `The flush failed: ${String(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

const troubleOfCode: Readonly<Record<string, StoreTrouble>> = {
  28: 'full', // ENOSPC
  122: 'full', // EDQUOT
  '-30792': 'full', // MDB_MAP_FULL
  '-30796': 'corrupt',
  '-30797': 'corrupt',
  13: 'unwritable',
  20: 'unwritable',
  30: 'unwritable',
};

/** Errors without a code of the operating system or of LMDB are bugs, not troubles: they stay what they are. */
export function asTrouble(cause: unknown, otherwise: StoreTrouble = 'flush-failed'): unknown {
  if (cause instanceof StoreUnavailable || !(cause instanceof Error)) return cause;
  const code = (cause as { code?: unknown }).code;
  const named = /no space|ENOSPC/i.test(cause.message)
    ? 'full'
    : /ENOTDIR|EROFS|EACCES|not a directory|read-only/i.test(cause.message)
      ? 'unwritable'
      : undefined;
  const trouble = troubleOfCode[String(code)] ?? named ?? (typeof code === 'number' ? otherwise : undefined);
  return trouble === undefined ? cause : new StoreUnavailable(trouble, `${trouble}: ${cause.message}`, { cause });
}
