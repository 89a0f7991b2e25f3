/**
 * A second pair of eyes: a process of its own that sends the same operation at a low Poisson rate and times it by itself, so that it and the engine can disagree.
 * This file gives the prober real time, real sockets and its turns.
 */
import { leaveTerminalSignals } from '#harness/end-signals.ts';
import { arrivalState } from '#harness/engine/engine.ts';
import { isRefusal } from '#harness/engine/native/arrival-states.ts';
import { messageOf } from '#harness/message-of.ts';
import { loadOperations } from '#harness/target/load-operations.ts';
import { noItems, type Operation, type OperationContext } from '#harness/target/operation.ts';
import { createInstants } from './instants.ts';
import type { ProbeInput, ProbeMessage } from './messages.ts';
import { type Ask, Prober } from './prober.ts';
import { createSender } from './sender.ts';

const handOverEveryMs = 500;

let said: Promise<void> = Promise.resolve();
const say = (message: ProbeMessage): void => {
  said = new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
};
const stopping = new AbortController();

async function probe(input: ProbeInput): Promise<void> {
  const operations = await loadOperations(input.operationsModule, input.operationsData);
  const operation = operations.find(({ name }) => name === input.operation);
  if (operation === undefined) throw new Error(`the probe knows no operation ${input.operation}`);
  const nowMs = () => Number(process.hrtime.bigint() - BigInt(input.originNs)) / 1e6;
  const prober = new Prober({
    nextMs: createInstants(input.plan),
    nowMs,
    until: (dueMs) => sleepUntil(dueMs - nowMs()),
    isStopping: () => stopping.signal.aborted,
    ask: createAsk(input, operation),
    openMax: input.openMax,
    say,
  });
  const timer = setInterval(() => prober.handOver(), handOverEveryMs);
  await prober.run();
  clearInterval(timer);
}

function sleepUntil(waitMs: number): Promise<void> {
  const { signal } = stopping;
  if (waitMs <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, waitMs);
    signal.addEventListener('abort', wake);
  });
}

function createAsk(input: ProbeInput, operation: Operation): Ask {
  const { run, device, eventsPerBatch } = input;
  const send = createSender(input);
  return async (arrival, onWritten) => {
    const own = { run, arrival, device, eventsPerBatch, items: noItems };
    const context: OperationContext = { ...own, intendedWallMs: Date.now(), chance: Math.random() };
    const answer = await send(operation.request(context), onWritten);
    const header = (name: string) => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    const { kind } = operation.judge({ status: answer.status, header, body: answer.body }, context);
    if (kind !== 'good') return { kind, state: stateOf(kind, answer.status) };
    return { kind, state: arrivalState.acknowledged, serviceMicros: answer.serviceMicros };
  };
}

const stateOf = (kind: 'shed' | 'failed', status: number): number => (kind === 'shed' || isRefusal(status) ? arrivalState.refused : arrivalState.unknown);

process.on('message', (message: ProbeInput | 'stop') => {
  if (message === 'stop') return stopping.abort();
  // Messages go out in order: with the last one all of them have.
  const end = (): void => void said.then(() => process.disconnect?.());
  probe(message).then(end, (error: unknown) => {
    say({ kind: 'trouble', text: messageOf(error) });
    end();
  });
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group; the run decides.
leaveTerminalSignals();
