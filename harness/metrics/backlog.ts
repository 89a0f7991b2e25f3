/** What an earlier phase left queued when a phase began: its arrivals are counted in the phase that planned them. Pure. */
import type { PhaseRecord } from '#harness/run-result.ts';

/** An arrival that is fired so much after its instant is none of a queue yet: as little as a late one. */
const backlogSecondsMin = 0.1;

/**
 * `queuedUntilMs`: of each phase, when a request that was late, or was never fired, last left the queue, since origin. Of several
 * earlier phases the one that ran on for longest is named.
 */
export function withBacklogs(records: readonly PhaseRecord[], queuedUntilMs: readonly number[]): readonly PhaseRecord[] {
  return records.map((record, index) => {
    const earlier = records.slice(0, index).map(({ name, measured }, at) => ({
      phase: name,
      measured,
      seconds: (queuedUntilMs[at] ?? Number.NEGATIVE_INFINITY) / 1000 - record.startSeconds,
    }));
    const longest = earlier.reduce<(typeof earlier)[number] | undefined>(
      (most, one) => (most === undefined || one.seconds > most.seconds ? one : most),
      undefined,
    );
    return longest === undefined || longest.seconds <= backlogSecondsMin ? record : { ...record, backlog: longest };
  });
}
