/**
 * Folds what the processes that hold streams hand over each second into cells, as fold.ts does with requests. Who is held adds up over
 * processes, so each of them says it once for a second, phase and reader.
 */
import type { StreamCell, StreamCounts, StreamDelta } from '#harness/run-result.ts';
import { addNumbers, addReasons, addTimes } from './fold.ts';
import { SecondsFold } from './fold-seconds.ts';

export const noStreamCounts: StreamCounts = {
  dialled: 0,
  opened: 0,
  resumed: 0,
  refused: 0,
  failed: 0,
  lost: 0,
  byes: 0,
  relapsed: 0,
  closed: 0,
  abandoned: 0,
  frames: 0,
  changes: 0,
  heartbeats: 0,
  heartbeatsLate: 0,
  heartbeatsMissed: 0,
  reordered: 0,
  leaked: 0,
  resynced: 0,
  silenced: 0,
  bytesIn: 0,
  bytesOut: 0,
};
export const nobodyHeld: StreamCell['held'] = { live: 0, opening: 0, waiting: 0 };

type CellDelta = StreamDelta['cells'][number];

export function addStreamCell(cell: StreamCell, delta: CellDelta): StreamCell {
  return {
    ...cell,
    counts: addNumbers(cell.counts, delta.counts),
    spoiled: addNumbers(cell.spoiled, delta.spoiled),
    times: addTimes(cell.times, delta.times),
    reasons: addReasons(cell.reasons, delta.reasons),
    held: addNumbers(cell.held, delta.held ?? nobodyHeld),
  };
}

export class StreamFold extends SecondsFold<StreamCell, Pick<StreamDelta, 'cells'>> {
  constructor() {
    super({
      nameOf: ({ reader }) => reader,
      begin: ({ second, phase, reader }) => ({ second, phase, reader, counts: noStreamCounts, spoiled: {}, times: {}, reasons: {}, held: nobodyHeld }),
      add: addStreamCell,
    });
  }
}
