/** Something that goes on while something else is done: neither may fail where nobody listens, or outlive the rule that began it. */

/**
 * Runs `loop` while `work` is on; both have ended when this settles. Rejects with the work's error, or else with the loop's.
 * To await a loop only after the work, as a plain promise, ends the process where the loop fails first.
 */
export async function beside<T>(loop: (isOver: () => boolean) => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const [looped, worked] = await Promise.allSettled([
    loop(() => isOver),
    work().finally(() => {
      isOver = true;
    }),
  ]);
  if (worked.status === 'rejected') throw worked.reason;
  if (looped.status === 'rejected') throw looped.reason;
  return worked.value;
}
