// What a busy machine does to a run: the generator stands still, and the hypervisor takes a core from whoever has it.

export type Span = { readonly fromMs: number; readonly untilMs: number };
export type Noise = {
  /** Stretches in which the generator, and those in which the service, does not run. Ascending, apart from each other. */
  readonly generator: readonly Span[];
  readonly service: readonly Span[];
  /** By second: of one core. */
  readonly stolenMs: readonly number[];
};

export const noNoise: Noise = { generator: [], service: [], stolenMs: [] };

export type Chance = () => number;
const between = (chance: Chance, from: number, until: number): number => from + chance() * (until - from);
const whole = (chance: Chance, from: number, until: number): number => Math.floor(between(chance, from, until + 1));

/** Of the seeds a third has stops of the generator alone (nothing hides what they flatter), a third stolen slices alone, a third both and stops of the whole machine. */
export function noiseOf(chance: Chance, seconds: number, seed: number): Noise {
  const kind = seed % 3;
  const generator: Span[] = [];
  const service: Span[] = [];
  if (kind !== 1) addStops({ generator, service }, chance, { seconds, ofMachineOneIn: kind === 0 ? Number.POSITIVE_INFINITY : 3 });
  const stolenMs = new Array<number>(seconds).fill(0);
  if (kind !== 0) addStolen({ generator, service }, chance, stolenMs);
  return { generator: apart(generator), service: apart(service), stolenMs };
}

type Spans = { readonly generator: Span[]; readonly service: Span[] };

/** One to four. */
function addStops(
  { generator, service }: Spans,
  chance: Chance,
  { seconds, ofMachineOneIn }: { readonly seconds: number; readonly ofMachineOneIn: number },
): void {
  for (let stops = whole(chance, 1, 4); stops > 0; stops--) {
    const fromMs = between(chance, 0, seconds * 1000);
    const span = { fromMs, untilMs: fromMs + between(chance, 51, 600) };
    generator.push(span);
    if (chance() < 1 / ofMachineOneIn) service.push(span);
  }
}

/** Slices of 1 to 15 ms, of one core or both, in one to three seconds. */
function addStolen({ generator, service }: Spans, chance: Chance, stolenMs: number[]): void {
  for (let stolen = whole(chance, 1, 3); stolen > 0; stolen--) {
    const second = whole(chance, 0, stolenMs.length - 1);
    const untilMs = between(chance, 20, 600);
    while (stolenMs[second]! < untilMs) {
      const fromMs = second * 1000 + between(chance, 0, 985);
      const span = { fromMs, untilMs: fromMs + between(chance, 1, 15) };
      const who = whole(chance, 0, 2);
      if (who !== 1) generator.push(span);
      if (who !== 0) service.push(span);
      stolenMs[second]! += (who === 2 ? 2 : 1) * (span.untilMs - fromMs);
    }
  }
}

function apart(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.fromMs - other.fromMs)) {
    const last = merged.at(-1);
    if (last === undefined || span.fromMs > last.untilMs) merged.push(span);
    else merged[merged.length - 1] = { fromMs: last.fromMs, untilMs: Math.max(last.untilMs, span.untilMs) };
  }
  return merged;
}

/** The last span that begins at or before an instant. */
function lastBefore(spans: readonly Span[], atMs: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.fromMs <= atMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** When who stands still in these spans gets to what happens at an instant. */
export function whenAwake(spans: readonly Span[], atMs: number): number {
  const last = spans[lastBefore(spans, atMs)];
  return last === undefined ? atMs : Math.max(atMs, last.untilMs);
}

/** A clock that does not pass in these spans. */
export function workingClock(spans: readonly Span[]): { readonly worked: (realMs: number) => number; readonly real: (workedMs: number) => number } {
  const before: number[] = [];
  let sum = 0;
  for (const { fromMs, untilMs } of spans) {
    before.push(sum);
    sum += untilMs - fromMs;
  }
  const begun = spans.map(({ fromMs }, i) => ({ fromMs: fromMs - before[i]!, untilMs: 0 }));
  return {
    worked: (realMs) => {
      const i = lastBefore(spans, realMs);
      const span = spans[i];
      return span === undefined ? realMs : Math.min(realMs, Math.max(span.fromMs, realMs - (span.untilMs - span.fromMs))) - before[i]!;
    },
    real: (workedMs) => {
      const i = lastBefore(begun, workedMs);
      const span = spans[i];
      return span === undefined ? workedMs : workedMs + before[i]! + (span.untilMs - span.fromMs);
    },
  };
}
