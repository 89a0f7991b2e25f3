// The embedded engine's main side: starts its threads, tells them when phases begin, passes on what they saw.

import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Engine, EngineEvents, EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { KeptTimes, keptTimesMemory } from '#harness/engine/kept-times.ts';
import { firstArrivals } from '#harness/pacing/arrivals.ts';
import { devicesOfWorker } from './core.ts';
import type { PacingThreadData } from './pacing-thread.ts';
import { calledSleepMinMs, createSharedPace, type SharedPace, stopWord } from './shared-pace.ts';
import type { EngineThreadData, FromThread, ToThread } from './thread-messages.ts';
import { wireFlags } from './wire/open-wires.ts';
import type { WireChoice } from './wire/wire.ts';
import type { WorkerInput } from './worker-input.ts';

export type NativeEngineOptions = {
  readonly wire?: WireChoice;
  /** No sleep is shorter: what is due within it is fired together (on the epoll wire not beyond 1.1 mean gaps). Shorter is more even and costs more CPU. */
  readonly sleepMinMs?: number;
  /** Where arrivals are nearer to each other than this on average, a thread naps by itself and is not called by the pacing thread. 0: never. */
  readonly napBelowMs?: number;
  /** Most connections open at once, over all workers. */
  readonly connectionsMax?: number;
};

const connectionsMaxDefault = 15_000;
/** A thread hears a message every few milliseconds. */
const endMsMax = 250;
/** Left for files, the balancer, scraping and the process itself. */
const descriptorsKept = 256;
/** Measured: see README, "What a wake-up costs". */
const napBelowMsDefault = 0.25;

/** Soft limit of this process; Node raises it to the hard one at its start. */
function descriptorsMax(): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Something that threads say once each. */
type Gate = { readonly done: Promise<void>; readonly arrive: () => void; readonly fail: (error: Error) => void };

function createGate(awaited: number): Gate {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let missing = awaited;
  // A crash rejects every gate, also those that nobody waits at.
  promise.catch(() => {});
  return { done: promise, arrive: () => --missing === 0 && resolve(), fail: reject };
}

/** It closes what it has open; one that does not listen is ended all the same. */
async function endThread(thread: Worker): Promise<void> {
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  // What has ended already has no identity.
  if (thread.threadId === -1) return;
  await Promise.race([ended, sleep(endMsMax)]);
  await thread.terminate();
}

class NativeRun implements EngineRun {
  readonly originNs = process.hrtime.bigint();
  readonly #input: EngineInput;
  readonly #events: EngineEvents;
  readonly #pace: SharedPace;
  readonly #states: SharedArrayBuffer;
  readonly #times: SharedArrayBuffer;
  readonly #firstArrivals: readonly number[];
  readonly #ready: Gate;
  readonly #finished: Gate;
  readonly #phases = new Map<number, Gate>();
  readonly #threads: Worker[] = [];
  readonly #options: NativeEngineOptions;
  #wire = '';
  #queuedUntilMs: readonly number[];
  #crash: Error | undefined;
  #ending = false;
  #paces = false;

  constructor(input: EngineInput, events: EngineEvents, options: NativeEngineOptions) {
    this.#options = options;
    this.#input = input;
    this.#events = events;
    this.#pace = createSharedPace(input.workers);
    this.#pace.dueMs.fill(Number.POSITIVE_INFINITY);
    this.#firstArrivals = firstArrivals(input.phases);
    this.#states = new SharedArrayBuffer(this.#firstArrivals.at(-1)!);
    this.#times = keptTimesMemory(this.#firstArrivals.at(-1)!);
    this.#queuedUntilMs = input.phases.map(() => Number.NEGATIVE_INFINITY);
    this.#ready = createGate(input.workers);
    this.#finished = createGate(input.workers);
  }

  async start(): Promise<void> {
    const { sleepMinMs, napBelowMs = napBelowMsDefault, wire = 'auto' } = this.#options;
    const { workers } = this.#input;
    const originWallMs = Date.now() - Number(process.hrtime.bigint() - this.originNs) / 1e6;
    for (let worker = 0; worker < workers; worker++) {
      const data: EngineThreadData = {
        input: this.#inputOf(worker),
        operationsModule: isAbsolute(this.#input.operationsModule) ? pathToFileURL(this.#input.operationsModule).href : this.#input.operationsModule,
        operationsData: this.#input.operationsData,
        originNs: this.originNs,
        originWallMs,
        sleepMinMs,
        napBelowMs,
        wire,
        paceMemory: this.#pace.memory,
        states: this.#states,
        times: this.#times,
      };
      this.#startThread('./engine-thread.ts', data).on('message', (message: FromThread) => this.#hear(message));
    }
    await this.#ready.done.catch(async (error: unknown) => {
      await this.kill();
      throw error;
    });
  }

  readonly drive = async (phase: number, startAtMs: number): Promise<void> => {
    if (this.#crash !== undefined) throw this.#crash;
    const gate = createGate(this.#input.workers);
    this.#phases.set(phase, gate);
    this.#tell({ kind: 'drive', phase, startMs: startAtMs });
    await gate.done;
  };

  readonly cut = (phase: number): void => this.#tell({ kind: 'cut', phase });

  readonly finish = async () => {
    if (this.#crash !== undefined) throw this.#crash;
    this.#tell({ kind: 'finish' });
    await this.#finished.done;
    await this.kill();
    return {
      states: new Uint8Array(this.#states),
      times: new KeptTimes(this.#times),
      phaseFirstArrival: this.#firstArrivals.slice(0, -1),
      queuedUntilMs: this.#queuedUntilMs,
      wire: this.#wire,
    };
  };

  readonly kill = async (): Promise<void> => {
    this.#ending = true;
    Atomics.store(this.#pace.words, stopWord, 1);
    Atomics.notify(this.#pace.words, stopWord);
    this.#tell({ kind: 'end' });
    await Promise.all(this.#threads.map(endThread));
    this.#failAll(new Error('the engine was ended'));
  };

  #inputOf(worker: number): WorkerInput {
    const { operationsModule: _module, operationsData: _data, devices, ...rest } = this.#input;
    const connectionsMax = Math.floor(Math.min(this.#options.connectionsMax ?? connectionsMaxDefault, descriptorsMax() - descriptorsKept) / rest.workers);
    return { ...rest, worker, deviceCount: devices.length, devices: devicesOfWorker(devices, worker, rest.workers), connectionsMax };
  }

  /** Once, for all of them. */
  #startPacing(): void {
    if (this.#paces || this.#ending) return;
    this.#paces = true;
    const { sleepMinMs = calledSleepMinMs } = this.#options;
    const pacing: PacingThreadData = { memory: this.#pace.memory, workers: this.#input.workers, originNs: this.originNs, sleepMinMs };
    this.#startThread('./pacing-thread.ts', pacing);
  }

  #startThread(file: string, data: object): Worker {
    // Without the parent's flags: a profiler's or a test runner's are not meant for these.
    const thread = new Worker(new URL(file, import.meta.url), { workerData: data, execArgv: wireFlags(), name: file });
    thread.on('error', (error) =>
      this.#crashed(`a thread of the load generator crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    );
    thread.on('exit', (code) => {
      if (!this.#ending) this.#crashed(`a thread of the load generator ended by itself with code ${code}`);
    });
    this.#threads.push(thread);
    return thread;
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        this.#wire = message.wire;
        return this.#ready.arrive();
      case 'call-me':
        return this.#startPacing();
      case 'failed':
        return this.#crashed(message.text);
      case 'phase-ended':
        return this.#phases.get(message.phase)?.arrive();
      case 'delta':
        return this.#events.onDelta(message.delta);
      case 'finished':
        this.#queuedUntilMs = this.#queuedUntilMs.map((untilMs, phase) => Math.max(untilMs, message.queuedUntilMs[phase] ?? untilMs));
        return this.#finished.arrive();
    }
  }

  #crashed(text: string): void {
    this.#crash ??= new Error(text);
    this.#failAll(this.#crash);
  }

  #failAll(error: Error): void {
    for (const gate of [this.#ready, this.#finished, ...this.#phases.values()]) gate.fail(error);
  }

  #tell(message: ToThread): void {
    for (const thread of this.#threads) thread.postMessage(message);
  }
}

export function createNativeEngine(options: NativeEngineOptions = {}): Engine {
  return {
    name: 'native',
    prepare: async (input, events) => {
      const run = new NativeRun(input, events, options);
      await run.start();
      return run;
    },
  };
}
