// One worker of the engine: gives the core real time, real sockets and its turns. What it does with them is the core's business.
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Operation } from '#harness/target/operation.ts';
import { EngineCore } from './core.ts';
import { Density } from './density.ts';
import { createRunClock } from './run-clock.ts';
import { createSharedPace, sleepMaxMs, stopWord, turnWord } from './shared-pace.ts';
import { watchThread } from './thread-lag.ts';
import type { EngineThreadData, FromThread, ToThread } from './thread-messages.ts';
import { lowerTimerSlack } from './timer-slack.ts';
import { createLoopTurns } from './wire/loop-turns.ts';
import { createNetWire } from './wire/net.ts';

const data = workerData as EngineThreadData;
const { input } = data;
const nowMs = createRunClock(data.originNs);
const pace = createSharedPace(input.workers, data.paceMemory);
const turns = createLoopTurns(nowMs());
let nappedMs = 0;
const takeLag = watchThread(() => nappedMs);
const deltaEveryMs = 1000;
/** Answers wait for a nap's end, so it is short even where no arrival ends it. */
const napMaxMs = 0.25;
/** Connections that are opened at once, so that a listener's backlog (511 by default in Node) is never overrun. */
const openAtOnce = 64;

const say = (message: FromThread): void => parentPort!.postMessage(message);

async function createCore(): Promise<{ core: EngineCore; wire: string }> {
  const { operations } = (await import(data.operationsModule)) as { operations: readonly Operation[] };
  const wire = createNetWire({ target: input.target, nowMs, turns });
  const core = new EngineCore({
    input,
    operations,
    states: new Uint8Array(data.states),
    wire,
    nowMs,
    originWallMs: data.originWallMs,
    sleepMaxMs,
    onPhaseEnd: (phase) => say({ kind: 'phase-ended', phase }),
  });
  return { core, wire: wire.name };
}

async function openConnections(core: EngineCore): Promise<void> {
  for (let from = 0; from < core.groups; from += openAtOnce) {
    const until = Math.min(core.groups, from + openAtOnce);
    core.openConnections(from, until);
    const deadlineMs = nowMs() + input.timeoutMs;
    while (core.connectionsIdle < until) {
      const { host, port } = input.target;
      if (core.connectTrouble !== undefined) throw new Error(`could not connect to ${host}:${port}: ${core.connectTrouble}`);
      if (nowMs() > deadlineMs) throw new Error(`could not open ${core.groups} connections to ${host}:${port} within ${input.timeoutMs} ms each`);
      await sleep(1);
    }
  }
}

function handOver(core: EngineCore): void {
  say({ kind: 'delta', delta: core.takeDelta(takeLag()) });
}

/**
 * Turns for the core. Where arrivals are rare, the thread waits at its sockets and the pacing thread calls it: answers are
 * read the moment they come. Where arrivals are dense, it naps itself between two looks at the sockets, because each of the two wake-ups that
 * a call takes costs as much as a request: answers are then read up to a nap later, and `read_uncertainty` says so.
 */
function takeTurns(core: EngineCore): void {
  const word = turnWord(input.worker);
  const density = new Density(data.napBelowMs);
  let napping = false;
  const bed = new Int32Array(new SharedArrayBuffer(4));
  // Workers hand over at different instants, so that not all stand still at once.
  let handOverAtMs = nowMs() + (deltaEveryMs * (input.worker + 1)) / input.workers;
  const turn = (): void => {
    const seen = Atomics.load(pace.words, word);
    turns.enter(nowMs());
    core.turn();
    const atMs = nowMs();
    if (atMs >= handOverAtMs) {
      handOverAtMs = Math.max(handOverAtMs + deltaEveryMs, atMs);
      handOver(core);
    }
    if (density.look(atMs, core.arrivalsFired)) {
      pace.dueMs[input.worker] = Number.POSITIVE_INFINITY;
      setImmediate(nap);
      return;
    }
    pace.dueMs[input.worker] = core.nextDueMs;
    // The pacing thread may be in a long sleep that began while this one napped.
    if (napping) Atomics.notify(pace.words, stopWord);
    napping = false;
    const next = Atomics.waitAsync(pace.words, word, seen);
    if (next.async) void next.value.then(turn);
    // Called for in the meantime: sockets have their turn first.
    else setImmediate(turn);
  };
  const nap = (): void => {
    const fromMs = nowMs();
    napping = true;
    Atomics.wait(bed, 0, 0, Math.min(Math.max(core.nextDueMs - fromMs, data.sleepMinMs), napMaxMs));
    nappedMs += nowMs() - fromMs;
    turn();
  };
  turn();
}

async function finish(core: EngineCore): Promise<void> {
  const deadlineMs = nowMs() + input.timeoutMs;
  while (core.inFlight > 0 && nowMs() < deadlineMs) await sleep(1);
  core.giveUpAll();
  core.closeConnections();
  handOver(core);
  say({ kind: 'finished' });
}

async function run(): Promise<void> {
  lowerTimerSlack();
  const { core, wire } = await createCore();
  await openConnections(core);
  parentPort!.on('message', (message: ToThread) => {
    if (message.kind === 'drive') core.drive(message.phase, message.startMs);
    else if (message.kind === 'cut') core.cut();
    else void finish(core);
  });
  takeTurns(core);
  say({ kind: 'ready', wire });
}

run().catch((error: unknown) => say({ kind: 'failed', text: error instanceof Error ? error.message : String(error) }));
