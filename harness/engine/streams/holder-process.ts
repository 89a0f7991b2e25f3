/** A process that holds streams: gives the holder real time, real sockets and its turns. Ends with whoever started it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRequestWriter } from '#harness/engine/native/request-text.ts';
import { createRunClock } from '#harness/engine/native/run-clock.ts';
import { watchThread } from '#harness/engine/native/thread-lag.ts';
import { createLoopTurns } from '#harness/engine/native/wire/loop-turns.ts';
import { createNetWire } from '#harness/engine/native/wire/net.ts';
import { Holder } from './holder.ts';
import type { FromHolder, HolderInput, ToHolder } from './messages.ts';

const turnEveryMs = 5;
const spoiledAboveMs = 50;
const comparePauseMs = 100;

const say = (message: FromHolder): void => void process.send?.(message, undefined, undefined, () => undefined);

function begin(input: HolderInput): Holder {
  const nowMs = createRunClock(BigInt(input.originNs));
  const turns = createLoopTurns(nowMs());
  const wires = input.targets.map((target) => createNetWire({ target, nowMs, turns }));
  const begun = new Holder({
    input,
    wires,
    writers: input.targets.map((target) => createRequestWriter(target, false)),
    nowMs,
    sleepMaxMs: turnEveryMs,
    spoiledAboveMs,
    takeLag: watchThread(() => 0),
    say,
  });
  const turn = (): void => {
    if (begun.turn()) setImmediate(turn);
    else setTimeout(turn, turnEveryMs);
  };
  turn();
  say({ kind: 'ready', wire: wires[0]?.name ?? '' });
  return begun;
}

let holder: Holder | undefined;

process.on('message', (message: ToHolder) => {
  if (message.kind === 'begin') holder = begin(message.input);
  else if (message.kind === 'phase') holder?.phase(message);
  else if (message.kind === 'acknowledged') holder?.acknowledged(message.acknowledged);
  else if (message.kind === 'release') holder?.release();
  else if (message.kind === 'compare')
    void holder?.compare(message.logs, message.withinMs, () => sleep(comparePauseMs)).then((comparison) => say({ kind: 'compared', comparison }));
  else {
    holder?.handOver();
    holder?.stop();
    say({ kind: 'finished' });
  }
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group; the run decides.
process.on('SIGINT', () => undefined);
