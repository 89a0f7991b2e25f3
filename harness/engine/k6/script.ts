/**
 * Runs inside k6: one iteration is one arrival with its chain. It says of every request what became of it, as one sample of its own; it
 * judges nothing but answers, by the operations that every engine uses. Never touches node:*: k6 has none.
 */
import { sleep } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import http, { type RefinedResponse } from 'k6/http';
import { Trend } from 'k6/metrics';
import { chainOfArrival } from '#harness/pacing/arrivals.ts';
import { chanceOf, purposes } from '#harness/pacing/random.ts';
import { thinkMsOf } from '#harness/pacing/think-time.ts';
import type { DeviceCredentials, Judgement, Operation, OperationContext } from '#harness/target/operation.ts';
import { noItems } from '#harness/target/operation.ts';
import type { K6Phase, K6Plan } from './k6-plan.ts';
import { outcomeOf, sampleMetric } from './sample-format.ts';

type Response = RefinedResponse<'text'>;
type Learned = { readonly token?: string; readonly secret?: string };

export type Script = { readonly setup: () => void; readonly arrive: () => void };

export function createScript(plan: K6Plan, operations: readonly Operation[]): Script {
  const service = new Trend(sampleMetric, true);
  const devices = new SharedArray<DeviceCredentials>('devices', () => JSON.parse(open(__ENV.HEADROOM_DEVICES ?? './devices.json')));
  const baseUrl = (__ENV.HEADROOM_TARGET ?? plan.baseUrl).replace(/\/+$/, '');
  const phases = new Map(plan.phases.map((phase) => [phase.name, phase]));
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const chains = new Map(Object.entries(plan.chains).map(([name, steps]) => [name, steps.flatMap((step) => byName.get(step) ?? [])]));
  /** Of this VU alone: k6 shares nothing between VUs that changes. */
  const learned = new Map<number, Learned>();

  /** k6 makes what it says of now anew whenever one asks for it, property by property; and what was made says what is now, however long one keeps it. */
  let kept: { readonly scenario: typeof exec.scenario; readonly metadata: typeof exec.vu.metrics.metadata } | undefined;
  const ofNow = () => (kept ??= { scenario: exec.scenario, metadata: exec.vu.metrics.metadata });

  function deviceOf(index: number): DeviceCredentials {
    const device = devices[index % devices.length] as DeviceCredentials;
    const known = learned.get(index);
    return known === undefined ? device : { ...device, ...known };
  }

  /** Undefined where this iteration is none of the plan's. */
  function phaseNow(): K6Phase | undefined {
    const { name, iterationInTest } = ofNow().scenario;
    const phase = phases.get(name);
    return phase === undefined || iterationInTest >= phase.count ? undefined : phase;
  }

  function arrive(): void {
    const phase = phaseNow();
    if (phase === undefined) return;
    const arrival = phase.firstArrival + ofNow().scenario.iterationInTest;
    const share = phase.traffic[chainOfArrival(phase.traffic, plan.seed, arrival)];
    const chain = share === undefined ? undefined : chains.get(share.chain);
    const deviceIndex = arrival % plan.deviceCount;
    let context: OperationContext = {
      run: plan.run,
      arrival,
      device: deviceOf(deviceIndex),
      eventsPerBatch: plan.eventsPerBatch,
      intendedWallMs: Date.now(),
      chance: chanceOf(plan.seed, arrival, purposes.payload),
      items: plan.items ?? noItems,
    };
    for (const [step, operation] of (chain ?? []).entries()) {
      think(share?.chain ?? '', { arrival, step });
      const judgement = send({ phase, operation, step, context });
      if (judgement.kind !== 'good') return;
      if (judgement.learned === undefined) continue;
      learned.set(deviceIndex, { ...learned.get(deviceIndex), ...judgement.learned });
      context = { ...context, device: deviceOf(deviceIndex) };
    }
  }

  function think(chain: string, { arrival, step }: { readonly arrival: number; readonly step: number }): void {
    const time = plan.thinkTimes?.[chain]?.[step];
    if (time !== undefined) sleep(thinkMsOf(time, { seed: plan.seed, arrival, step }) / 1000);
  }

  type Sending = { readonly phase: K6Phase; readonly operation: Operation; readonly step: number; readonly context: OperationContext };

  /** An answer later than goodWithinMs ends its chain, as it does elsewhere. */
  function send({ phase, operation, step, context }: Sending): Judgement {
    const { method, path, headers, body } = operation.request(context);
    const tags = { phase: phase.name, operation: operation.name };
    const response: Response = http.request(method, `${baseUrl}${path}`, body === '' ? null : body, {
      headers: headersOf(headers),
      tags,
      timeout: plan.timeoutMs,
      responseType: 'text',
    });
    const judgement = judge(operation, response, context);
    const late = judgement.kind === 'good' && response.timings.duration > plan.goodWithinMs;
    const { scenario, metadata } = ofNow();
    const { tags: said, place } = outcomeOf({
      arrival: context.arrival,
      step,
      phaseStartMs: scenario.startTime + phase.startMs,
      judgement,
      late,
      response,
    });
    metadata.place = place;
    service.add(response.timings.duration, { ...tags, ...said });
    delete metadata.place;
    return late ? { kind: 'failed', reason: 'late' } : judgement;
  }

  return { setup: awaitStart, arrive };
}

function judge(operation: Operation, response: Response, context: OperationContext): Judgement {
  if (response.status === 0) return { kind: 'failed', reason: response.error };
  const header = (asked: string): string | undefined => Object.entries(response.headers).find(([name]) => name.toLowerCase() === asked)?.[1];
  try {
    return operation.judge({ status: response.status, header, body: response.body ?? '' }, context);
  } catch (error) {
    return { kind: 'failed', reason: `not understood: ${error instanceof Error ? error.name : 'thrown'}` };
  }
}

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  return headers;
}

/** Of several processes all begin together: VUs are there by now, and the gate's answer is the instant at which the first phase starts. */
function awaitStart(): void {
  const gate = __ENV.HEADROOM_GATE;
  if (gate === undefined) return;
  const answer = http.get(gate, { timeout: '3600s', responseType: 'text' });
  if (answer.status !== 200) exec.test.abort('the harness went away before the start');
  const leftMs = Number(answer.body) - Date.now();
  if (leftMs > 0) sleep(leftMs / 1000);
}
