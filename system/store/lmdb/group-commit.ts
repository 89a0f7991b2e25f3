/** Commands that wait together share one transaction and one flush; a promise resolves after `fdatasync` returned. */
import { StoreUnavailable } from '#system/store/store.ts';
import { asTrouble } from './trouble.ts';

/** A command as the transaction runs it. It does not throw: what could be wrong with a command was looked at before. */
export type Job<T> = () => T;
export type GroupCommitOptions = {
  readonly commit: (jobs: readonly (() => void)[]) => void;
  /** Told once: nothing will be written any more. */
  readonly onLost?: ((trouble: StoreUnavailable) => void) | undefined;
  /** A group is closed by the job that reaches it. */
  readonly weightPerGroupMax: number;
};
type Waiting = { readonly run: () => void; readonly weight: number; readonly done: () => void; readonly fail: (error: unknown) => void };

export type GroupCommit = { readonly submit: <T>(job: Job<T>, weight?: number) => Promise<T>; readonly close: () => Promise<void> };

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
      if (trouble instanceof StoreUnavailable && trouble.trouble === 'flush-failed') {
        lost = trouble;
        options.onLost?.(trouble);
      }
      throw trouble;
    }
  }

  function nextGroup(): readonly Waiting[] {
    let weight = 0;
    let count = 0;
    while (count < queue.length && weight < options.weightPerGroupMax) weight += (queue[count++] as Waiting).weight;
    const group = queue.slice(0, count);
    queue = queue.slice(count);
    return group;
  }

  function runGroup(): void {
    const group = nextGroup();
    try {
      commit(group);
      for (const job of group) job.done();
    } catch (trouble) {
      // Who waits behind a failed flush is refused too, rather than kept until the next one has failed as well.
      for (const job of trouble instanceof StoreUnavailable ? [...group, ...queue.splice(0)] : group) job.fail(trouble);
    }
    if (queue.length > 0) setImmediate(runGroup);
    else {
      busy = false;
      for (const wake of idle.splice(0)) wake();
    }
  }

  return {
    submit: <T>(job: Job<T>, weight = 1) =>
      new Promise<T>((resolve, reject) => {
        if (closed) return reject(new StoreUnavailable('closed', 'The store was closed.'));
        let result: T;
        queue.push({
          run: () => {
            result = job();
          },
          weight,
          done: () => resolve(result),
          fail: reject,
        });
        if (busy) return;
        busy = true;
        // Not at once: what the same turn of the event loop still brings joins the group.
        setImmediate(runGroup);
      }),
    close: async () => {
      closed = true;
      if (busy) await new Promise<void>((wake) => idle.push(wake));
    },
  };
}
