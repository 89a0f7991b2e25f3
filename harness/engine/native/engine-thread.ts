// One worker of the engine: gives the core real time, real sockets and its turns. What it does with them is the core's business.

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { KeptTimes } from '#harness/engine/kept-times.ts';
import { messageOf } from '#harness/message-of.ts';
import { loadOperations } from '#harness/target/load-operations.ts';
import { trustAuthorityOfEnvironment } from '#harness/topology/extra-ca.ts';
import { takeCalledTurns } from './called-turns.ts';
import { EngineCore } from './core.ts';
import { takeOwnTurns } from './own-turns.ts';
import { createRunClock } from './run-clock.ts';
import { createSharedPace, sleepMaxMs } from './shared-pace.ts';
import { type Rest, watchThread } from './thread-lag.ts';
import type { EngineThreadData, FromThread, ToThread } from './thread-messages.ts';
import { lowerTimerSlack } from './timer-slack.ts';
import { openWires } from './wire/open-wires.ts';
import type { Wire, Wires } from './wire/wire.ts';

trustAuthorityOfEnvironment();
const data = workerData as EngineThreadData;
const { input } = data;
const nowMs = createRunClock(data.originNs);
const rest: Rest = { ms: 0 };
const takeLag = watchThread(rest);
const deltaEveryMs = 1000;
/** Connections that are opened at once, so that a listener's backlog (511 by default in Node) is never overrun. */
const openAtOnce = 64;

const say = (message: FromThread): void => parentPort!.postMessage(message);

async function createCore(wires: Wires): Promise<EngineCore> {
  return new EngineCore({
    input,
    operations: await loadOperations(data.operationsModule, data.operationsData),
    states: new Uint8Array(data.states),
    times: new KeptTimes(data.times),
    wire: wires.of[0] as Wire,
    nowMs,
    originWallMs: data.originWallMs,
    sleepMaxMs,
    onPhaseEnd: (phase) => say({ kind: 'phase-ended', phase }),
  });
}

/** Sockets get on while the engine itself has nothing to do. */
async function wait(wires: Wires): Promise<void> {
  if (wires.sleep === undefined) return sleep(1);
  rest.ms += wires.sleep(nowMs() + 1, 'until-bytes');
  return turn();
}

async function openConnections(core: EngineCore, wires: Wires): Promise<void> {
  for (let from = 0; from < core.groups; from += openAtOnce) {
    const until = Math.min(core.groups, from + openAtOnce);
    core.openConnections(from, until);
    const deadlineMs = nowMs() + input.timeoutMs;
    while (core.connectionsIdle < until) {
      const { host, port } = input.target;
      if (core.connectTrouble !== undefined) throw new Error(`could not connect to ${host}:${port}: ${core.connectTrouble}`);
      if (nowMs() > deadlineMs) throw new Error(`could not open ${core.groups} connections to ${host}:${port} within ${input.timeoutMs} ms each`);
      await wait(wires);
    }
  }
}

function handOver(core: EngineCore): void {
  say({ kind: 'delta', delta: core.takeDelta(takeLag()) });
}

function takeTurns(core: EngineCore, wires: Wires): void {
  // Workers hand over at different instants, so that not all stand still at once.
  let handOverAtMs = nowMs() + (deltaEveryMs * (input.worker + 1)) / input.workers;
  const afterTurn = (atMs: number): void => {
    if (atMs < handOverAtMs) return;
    handOverAtMs = Math.max(handOverAtMs + deltaEveryMs, atMs);
    handOver(core);
  };
  const options = { core, nowMs, rest, afterTurn, sleepMinMs: data.sleepMinMs, napBelowMs: data.napBelowMs };
  const [{ stampsArrivals }] = wires.of as [Wire];
  if (wires.sleep !== undefined) return takeOwnTurns({ ...options, sleep: wires.sleep, stampsArrivals });
  say({ kind: 'call-me' });
  takeCalledTurns({ ...options, pace: createSharedPace(input.workers, data.paceMemory), worker: input.worker, noteTurn: wires.noteTurn });
}

async function finish(core: EngineCore): Promise<void> {
  const deadlineMs = nowMs() + input.timeoutMs;
  while (core.inFlight > 0 && nowMs() < deadlineMs) await sleep(1);
  core.giveUpAll();
  core.closeConnections();
  handOver(core);
  say({ kind: 'finished', queuedUntilMs: core.queuedUntilMs });
}

async function run(): Promise<void> {
  lowerTimerSlack();
  const wires = await openWires({ targets: [input.target], nowMs, choice: data.wire });
  // A thread that is ended from outside leaves what it has opened through ffi behind.
  process.once('exit', wires.end);
  const core = await createCore(wires);
  parentPort!.on('message', (message: ToThread) => {
    if (message.kind === 'end') process.exit(0);
    else if (message.kind === 'drive') core.drive(message.phase, message.startMs);
    else if (message.kind === 'cut') core.cut(message.phase);
    else void finish(core);
  });
  await openConnections(core, wires);
  takeTurns(core, wires);
  say({ kind: 'ready', wire: wires.name });
}

run().catch((error: unknown) => say({ kind: 'failed', text: messageOf(error) }));
