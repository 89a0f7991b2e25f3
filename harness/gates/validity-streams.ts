/** What makes a measurement of streams invalid. */
import type { RunResult, StreamCell } from '#harness/run-result.ts';
import { heldOf, sumStreams } from './stream-samples.ts';
import type { Fault } from './validity.ts';
import { plural } from './wording.ts';

export function streamFaults(result: RunResult): readonly Fault[] {
  return [...undelivered(result), ...notDone(result)];
}

/** Was there a stream, or somebody who dialled, in a measured phase? */
export function hasStreams({ streams, phases }: Pick<RunResult, 'streams' | 'phases'>): boolean {
  return (streams?.cells ?? []).some((cell) => phases[cell.phase]?.measured === true && (sumStreams([cell], 'dialled') > 0 || heldOf(cell) > 0));
}

/** How a process that holds streams begins the reason of a dial that failed by its own limits. */
const ownMeans = 'generator';

/** In any phase, since who could not be dialled in the warm-up is missing in what follows. */
function undelivered({ streams, phases }: RunResult): readonly Fault[] {
  const failed = new Map<string, number>();
  const note = (cell: StreamCell, reason: string, times: number): void => {
    const place = `${reason} in phase ${phases[cell.phase]?.name}`;
    failed.set(place, (failed.get(place) ?? 0) + times);
  };
  for (const cell of streams?.cells ?? []) {
    for (const [reason, times] of Object.entries(cell.reasons)) if (reason.startsWith(ownMeans)) note(cell, reason, times);
  }
  if (failed.size === 0) return [];
  const dials = [...failed.values()].reduce((sum, one) => sum + one, 0);
  const text = `${plural(dials, 'dial')} failed for want of the generator's own means (${[...failed.keys()].join(', ')}): raise its limit of descriptors or streams.processes, or hold fewer`;
  return [{ code: 'streams-not-delivered', text, voidsFailures: true }];
}

function notDone({ faults }: RunResult): readonly Fault[] {
  return (faults ?? [])
    .filter(({ trouble }) => trouble !== undefined)
    .map(({ kind, phase, trouble }) => ({
      code: 'fault-failed',
      text: `the fault ${kind} of phase ${phase} could not be done, so what was asked was not tried: ${trouble}`,
      voidsFailures: false,
    }));
}
