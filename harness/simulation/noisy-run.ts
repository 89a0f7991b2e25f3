// The same arrivals and the same work at one service, with and without noise: what a generator sees of it, marked by the engine's own rule.
import { Stops } from '#harness/engine/native/stops.ts';
import { type Noise, type Span, whenAwake, workingClock } from './noise.ts';
import type { Service, Visits } from './services.ts';

export type Plan = { readonly dueMs: Float64Array; readonly workMs: Float64Array; readonly keys: Int32Array };
/** One try of an arrival. `overMs`: as the generator has it. */
export type Try = {
  readonly arrival: number;
  readonly tries: number;
  readonly dueMs: number;
  readonly sentMs: number;
  readonly overMs: number;
  readonly readMs: number;
  readonly isShed: boolean;
};
export type MarkedTry = Try & { readonly spoiled: boolean };

export type Model =
  | { readonly kind: 'serves'; readonly service: Service }
  /** First come, first served by one; who finds so many there is refused, and comes back. */
  | { readonly kind: 'sheds'; readonly thereMax: number; readonly retryAfterMs: number; readonly triesMax: number };

/** `stamped`: the kernel says when an answer came, however late it is read. */
export type Conditions = { readonly noise: Noise; readonly stamped: boolean };

export function triesOf(plan: Plan, model: Model, { noise, stamped }: Conditions): readonly Try[] {
  const answered = (one: Pick<Try, 'arrival' | 'tries' | 'dueMs' | 'sentMs' | 'isShed'>, servedMs: number): Try => {
    const readMs = whenAwake(noise.generator, servedMs);
    return { ...one, readMs, overMs: stamped ? servedMs : readMs };
  };
  return model.kind === 'serves' ? served(plan, model.service, noise, answered) : shedding(plan, model, noise, answered);
}

type Answered = (one: Pick<Try, 'arrival' | 'tries' | 'dueMs' | 'sentMs' | 'isShed'>, servedMs: number) => Try;

function served({ dueMs, workMs, keys }: Plan, service: Service, noise: Noise, answered: Answered): readonly Try[] {
  const clock = workingClock(noise.service);
  const sentMs = dueMs.map((due) => whenAwake(noise.generator, due));
  const visits: Visits = { atMs: sentMs.map(clock.worked), workMs, keys };
  return Array.from(service(visits), (workedMs, arrival) =>
    answered({ arrival, tries: 1, dueMs: dueMs[arrival]!, sentMs: sentMs[arrival]!, isShed: false }, clock.real(workedMs)),
  );
}

function shedding({ dueMs, workMs }: Plan, model: Extract<Model, { kind: 'sheds' }>, noise: Noise, answered: Answered): readonly Try[] {
  const clock = workingClock(noise.service);
  const all: Try[] = [];
  const again: { readonly arrival: number; readonly tries: number; readonly dueMs: number }[] = [];
  /** When each that was taken is over; ascending, since one serves in order. */
  const overs: number[] = [];
  let gone = 0;
  let next = 0;
  for (let back = 0; next < dueMs.length || back < again.length; ) {
    const isFirst = back >= again.length || (next < dueMs.length && dueMs[next]! <= again[back]!.dueMs);
    const one = isFirst ? { arrival: next, tries: 1, dueMs: dueMs[next++]! } : again[back++]!;
    const sentMs = whenAwake(noise.generator, one.dueMs);
    const atMs = clock.worked(sentMs);
    while (gone < overs.length && overs[gone]! <= atMs) gone++;
    const isShed = overs.length - gone >= model.thereMax;
    if (!isShed) overs.push(Math.max(atMs, overs.at(-1) ?? 0) + workMs[one.arrival]!);
    const tried = answered({ ...one, sentMs, isShed }, clock.real(isShed ? atMs : overs.at(-1)!));
    all.push(tried);
    if (isShed && one.tries < model.triesMax) again.push({ arrival: one.arrival, tries: one.tries + 1, dueMs: tried.readMs + model.retryAfterMs });
  }
  return all;
}

export const spoiledAboveMs = 50;
const lookEveryMs = 4;

/** As the engine does it: what a stop reached, and what is fired until all that was out in it is back. */
export function marked(tries: readonly Try[], generator: readonly Span[]): readonly MarkedTry[] {
  const stops = new Stops({ spoiledAboveMs, sleepMaxMs: lookEveryMs, nowMs: 0 });
  const byRead = tries.map((_one, index) => index).sort((one, other) => tries[one]!.readMs - tries[other]!.readMs);
  const inAftermath = new Uint8Array(tries.length);
  const spoiled = new Uint8Array(tries.length);
  let seenMs = 0;
  let inFlight = 0;
  let span = 0;
  const observe = (nowMs: number): void => {
    if (stops.observe(nowMs)) stops.outstanding = inFlight;
    seenMs = nowMs;
  };
  const until = (nowMs: number): void => {
    for (; span < generator.length && generator[span]!.untilMs <= nowMs; span++) {
      idle(generator[span]!.fromMs);
      observe(generator[span]!.untilMs);
    }
    idle(nowMs);
  };
  /** Nothing happens, and the loop looks all the same. */
  const idle = (untilMs: number): void => {
    while (untilMs - seenMs > lookEveryMs) observe(seenMs + lookEveryMs);
    observe(untilMs);
  };
  const send = (index: number): void => {
    const { sentMs, dueMs } = tries[index]!;
    until(sentMs);
    inAftermath[index] = stops.aftermath(sentMs) ? 1 : 0;
    if (stops.reached(dueMs)) stops.outstanding++;
    inFlight++;
  };
  const read = (index: number): void => {
    const { readMs, dueMs } = tries[index]!;
    until(readMs);
    spoiled[index] = inAftermath[index] === 1 || stops.reached(dueMs) ? 1 : 0;
    if (stops.reached(dueMs)) stops.outstanding--;
    inFlight--;
  };
  for (let sending = 0, reading = 0; reading < tries.length; ) {
    const isRead = sending === tries.length || tries[byRead[reading]!]!.readMs < tries[sending]!.sentMs;
    if (isRead) read(byRead[reading++]!);
    else send(sending++);
  }
  return tries.map((one, index) => ({ ...one, spoiled: spoiled[index] === 1 }));
}
