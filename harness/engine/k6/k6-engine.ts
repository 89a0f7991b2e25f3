/**
 * k6 behind the same seam: it gets its whole schedule at once, so the phases that a run announces one after the other are where they were
 * planned to be, and none can be ended before its time. What it saw comes back as samples, one for each request.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Engine, EngineEvents, EngineInput, EngineOutcome, EngineRun } from '#harness/engine/engine.ts';
import type { Operation } from '#harness/target/operation.ts';
import { bundleScript } from './bundle.ts';
import { tailSeconds } from './executors.ts';
import { type K6Plan, k6OptionsOf, k6PlanOf, thinkMsMost } from './k6-plan.ts';
import { type K6Process, startK6Process } from './k6-process.ts';
import { SampleFold } from './sample-fold.ts';
import { SampleReader } from './samples.ts';
import { openStartGate, type StartGate } from './start-gate.ts';

const deltaEveryMs = 1000;
/** An arrival is on time until then. */
const firedAfterMs = 150;
/** Beyond timeouts: to flush what it has. */
const endLimitMs = 30_000;

class K6Run implements EngineRun {
  readonly originNs = process.hrtime.bigint();
  readonly endsPhasesEarly = false;
  readonly #originWallMs = Date.now();
  readonly #input: EngineInput;
  readonly #events: EngineEvents;
  readonly #plan: K6Plan;
  readonly #folder = mkdtempSync(join(tmpdir(), 'headroom-k6-'));
  #processes: readonly K6Process[] = [];
  #gate: StartGate | undefined;
  #fold: SampleFold | undefined;
  #startMs = 0;
  #version = 'k6';
  #cutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trouble = Promise.withResolvers<never>();

  constructor(input: EngineInput, events: EngineEvents) {
    this.#input = input;
    this.#events = events;
    this.#plan = planOfRun(input);
    this.#trouble.promise.catch(() => undefined);
  }

  get pids(): readonly number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  async start(program: string): Promise<void> {
    const { phases, operationsModule, devices, workers, target } = this.#input;
    const gate = await openStartGate(workers);
    this.#gate = gate;
    try {
      this.#version = versionOf(program);
      const script = await bundleScript({ plan: this.#plan, options: k6OptionsOf(this.#plan, phases), operationsModule });
      const files = { script: this.#write('script.js', script), devicesFile: this.#write('devices.json', JSON.stringify(devices)) };
      const ca = target.tls?.ca === undefined ? {} : { caFile: this.#write('ca.pem', target.tls.ca) };
      this.#processes = Array.from({ length: workers }, (_, index) => {
        const reader = new SampleReader((sample) => this.#fold?.add(sample));
        return startK6Process({ program, ...files, ...ca, gateUrl: gate.url, index, processes: workers, onText: (text) => reader.push(text) });
      });
      for (const { ended } of this.#processes) void ended.then((sentence) => sentence !== undefined && this.#trouble.reject(new Error(sentence)));
      await Promise.race([gate.full, this.#trouble.promise, this.#allEnded().then(() => Promise.reject(new Error(`${program} ended before it began`)))]);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  readonly drive = async (phase: number, startAtMs: number): Promise<void> => {
    if (phase === 0) await this.#begin(startAtMs);
    const planned = this.#plan.phases[phase];
    const endMs = this.#startMs + (planned === undefined ? 0 : planned.startMs + planned.durationMs) + firedAfterMs;
    // k6 itself keeps the run going; once that was cut, nothing has to wait for a phase's end.
    const left = sleep(Math.max(0, endMs - this.#nowMs()), undefined, { ref: false });
    await Promise.race([left, this.#trouble.promise, this.#allEnded()]);
  };

  readonly cut = (): void => {
    this.#cutMs ??= this.#nowMs();
    for (const process of this.#processes) process.stop();
  };

  readonly finish = async (): Promise<EngineOutcome> => {
    const last = this.#plan.phases.at(-1);
    const endMs = this.#startMs + (last === undefined ? 0 : last.startMs + last.durationMs) + tailSeconds * 1000 + this.#graceMs();
    const limit = sleep(Math.max(0, endMs - this.#nowMs()) + endLimitMs, 'late' as const, { ref: false });
    const ended = await Promise.race([this.#allEnded(), this.#trouble.promise, limit]);
    if (ended === 'late') await this.kill();
    clearInterval(this.#timer);
    const fold = this.#fold;
    if (fold === undefined) throw new Error('k6 was asked for its end before a phase was driven');
    this.#events.onDelta(fold.finish(this.#cutMs));
    this.#clean();
    return {
      states: fold.states,
      phaseFirstArrival: this.#plan.phases.map(({ firstArrival }) => firstArrival),
      queuedUntilMs: fold.queuedUntilMs,
      wire: this.#version,
      k6: { processes: this.#processes.length, droppedIterations: fold.dropped, unaccountedIterations: fold.unaccounted },
    };
  };

  readonly kill = async (): Promise<void> => {
    clearInterval(this.#timer);
    for (const process of this.#processes) process.kill();
    await this.#allEnded();
    this.#clean();
  };

  async #begin(startAtMs: number): Promise<void> {
    const operations = await operationNames(this.#input.operationsModule);
    this.#startMs = startAtMs;
    const { phases, lateAboveMs } = this.#input;
    const fold = new SampleFold({ plan: this.#plan, phases, operations, originWallMs: this.#originWallMs, startMs: startAtMs, lateAboveMs, hasOneClock: true });
    this.#fold = fold;
    this.#gate?.open(this.#originWallMs + startAtMs);
    this.#timer = setInterval(() => this.#events.onDelta(fold.takeDelta(this.#nowMs())), deltaEveryMs);
  }

  #graceMs(): number {
    return this.#plan.timeoutMs * Math.max(1, ...Object.values(this.#plan.chains).map((chain) => chain.length)) + thinkMsMost(this.#plan) + 1000;
  }

  #allEnded(): Promise<unknown> {
    return Promise.all(this.#processes.map(({ ended }) => ended));
  }

  #nowMs(): number {
    return Number(process.hrtime.bigint() - this.originNs) / 1e6;
  }

  #write(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text);
    return file;
  }

  #clean(): void {
    this.#gate?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function planOfRun(input: EngineInput): K6Plan {
  const { host, port, tls, pathPrefix } = input.target;
  const name = host.includes(':') ? `[${host}]` : host;
  const baseUrl = `${tls === undefined ? 'http' : 'https'}://${name}:${port}${pathPrefix}`;
  return k6PlanOf({ ...input, baseUrl, deviceCount: input.devices.length });
}

/** `k6 v2.2.0`, without what it was built with. */
function versionOf(program: string): string {
  const [name = 'k6', version = ''] = execFileSync(program, ['version'], { encoding: 'utf8' }).trim().split(/\s+/);
  return `${name} ${version}`;
}

async function operationNames(module: string): Promise<readonly string[]> {
  const { operations } = (await import(isAbsolute(module) ? pathToFileURL(module).href : module)) as { readonly operations: readonly Operation[] };
  return operations.map(({ name }) => name);
}

/** `program`: where k6 is, or the sentence that says how to come by it. */
export function createK6Engine(program: string): Engine {
  return {
    name: 'k6',
    prepare: async (input, events) => {
      const run = new K6Run(input, events);
      await run.start(program);
      return run;
    },
  };
}
