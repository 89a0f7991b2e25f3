/** Commands that wait together share one transaction and one flush; a promise resolves after `fdatasync` returned. */
import { StoreUnavailable } from '#system/store/store.ts';
import type { Use } from './room.ts';
import { asTrouble } from './trouble.ts';

/** A command as the transaction runs it. It does not throw: what could be wrong with a command was looked at before. */
export type Job<T> = () => T;
export type GroupCommitOptions = {
  readonly commit: (jobs: readonly (() => void)[]) => void;
  /** Asked before each group: which uses are refused, and with what. */
  readonly refusal: () => ((use: Use) => StoreUnavailable | undefined) | undefined;
  /** Told once: nothing will be written any more. */
  readonly onLost?: ((trouble: StoreUnavailable) => void) | undefined;
  /** A group is closed by the job that reaches it. */
  readonly weightPerGroupMax: number;
};
type Waiting = { readonly run: () => void; readonly weight: number; readonly use: Use; readonly done: () => void; readonly fail: (error: unknown) => void };

/** A weight of 1 and `growing` by default. */
export type Submitting = { readonly weight?: number; readonly use?: Use };
export type GroupCommit = { readonly submit: <T>(job: Job<T>, how?: Submitting) => Promise<T>; readonly close: () => Promise<void> };

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

  /** Without those that there is no room for. */
  function admitted(group: readonly Waiting[]): readonly Waiting[] {
    const refusalOf = options.refusal();
    if (refusalOf === undefined) return group;
    return group.filter(({ use, fail }) => {
      const refusal = refusalOf(use);
      if (refusal !== undefined) fail(refusal);
      return refusal === undefined;
    });
  }

  function runGroup(): void {
    const group = admitted(nextGroup());
    try {
      if (group.length > 0) commit(group);
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
    submit: <T>(job: Job<T>, { weight = 1, use = 'growing' }: Submitting = {}) =>
      new Promise<T>((resolve, reject) => {
        if (closed) return reject(new StoreUnavailable('closed', 'The store was closed.'));
        let result: T;
        queue.push({
          run: () => {
            result = job();
          },
          weight,
          use,
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
