/** A process that holds streams: gives the holder real time, real sockets and its turns. Ends with whoever started it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { leaveTerminalSignals } from '#harness/end-signals.ts';
import { createNumbering } from '#harness/engine/message-row.ts';
import { createRequestWriter } from '#harness/engine/native/request-text.ts';
import { createRunClock } from '#harness/engine/native/run-clock.ts';
import { type Rest, watchThread } from '#harness/engine/native/thread-lag.ts';
import { openWires } from '#harness/engine/native/wire/open-wires.ts';
import { messageOf } from '#harness/message-of.ts';
import { Holder } from './holder.ts';
import type { FromHolder, HolderInput, ToHolder } from './messages.ts';

const turnEveryMs = 5;
const spoiledAboveMs = 50;
const comparePauseMs = 100;

const say = createNumbering<FromHolder>((numbered) => void process.send?.(numbered, undefined, undefined, () => undefined));

async function begin(input: HolderInput): Promise<Holder> {
  const nowMs = createRunClock(BigInt(input.originNs));
  const wires = await openWires({ targets: input.targets, nowMs, choice: input.wire });
  const rest: Rest = { ms: 0 };
  const begun = new Holder({
    input,
    wires: wires.of,
    writers: input.targets.map((target) => createRequestWriter(target, false)),
    nowMs,
    sleepMaxMs: turnEveryMs,
    spoiledAboveMs,
    takeLag: watchThread(rest),
    say,
  });
  const turn = (): void => {
    const hasMore = begun.turn();
    if (wires.sleep !== undefined) {
      const untilMs = hasMore ? nowMs() : nowMs() + turnEveryMs;
      do rest.ms += wires.sleep(untilMs, 'until-bytes');
      while (nowMs() < untilMs);
    }
    if (hasMore || wires.sleep !== undefined) setImmediate(turn);
    else setTimeout(turn, turnEveryMs);
  };
  turn();
  say({ kind: 'ready' });
  return begun;
}

let holder: Holder | undefined;
const begun = (it: Holder): void => {
  holder = it;
};
const failed = (error: unknown): void => say({ kind: 'failed', text: messageOf(error) });

process.on('message', (message: ToHolder) => {
  if (message.kind === 'begin') void begin(message.input).then(begun, failed);
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
leaveTerminalSignals();
