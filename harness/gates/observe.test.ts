import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exampleCell, exampleRun, thresholdOf } from './example-run.ts';
import { holdsWithin } from './holds.ts';
import { canStillHold, observe } from './observe.ts';
import { selectCells, sumSamples } from './samples.ts';
import { operators } from './threshold.ts';

const compare = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  '==': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
};

test('a comparison holds within bounds exactly if it does for every value in them', () => {
  const small = fc.integer({ min: 0, max: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...operators), small, small, small, (operator, limit, one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const answers = Array.from({ length: high - low + 1 }, (_, i) => compare[operator](low + i, limit));
      const expected = answers.every(Boolean) ? 'yes' : answers.some(Boolean) ? 'unknown' : 'no';
      expect(holdsWithin(operator, limit, { low, high })).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

describe('while a run goes on', () => {
  const planned = new Map([
    ['calm', 1000],
    ['spike', 5000],
    ['after', 500],
  ]);
  const p99 = thresholdOf('response_ms{phase:spike}', 'p(99)<250');
  /** The spike's first second: this many slow ones of 1000. */
  const soFar = (slow: number) =>
    exampleRun({
      cells: [
        exampleCell({
          second: 12,
          phase: 2,
          clean: [
            [5, 1000 - slow],
            [400, slow],
          ],
        }),
      ],
    });

  test('a threshold can hold until so many are bad that all the rest cannot make up for it', () => {
    expect(observe(soFar(50), p99).holds).toBe('no');
    expect(canStillHold(soFar(50), p99, planned)).toBe(true);
    expect(canStillHold(soFar(51), p99, planned)).toBe(false);
  });

  test('a count that is broken stays broken, a rate can still recover', () => {
    const failing = exampleRun({ cells: [exampleCell({ second: 12, phase: 2, clean: [[5, 990]], counts: { failed: 10 } })] });
    expect(canStillHold(failing, thresholdOf('failed{phase:spike}', 'count==0'), planned)).toBe(false);
    expect(canStillHold(failing, thresholdOf('failed{phase:spike}', 'rate<=0.002'), planned)).toBe(true);
    expect(canStillHold(failing, thresholdOf('failed{phase:spike}', 'rate<0.002'), planned)).toBe(false);
  });

  test('each arrival may still bring as many samples as its chain has steps and each step tries', () => {
    const { scenario } = exampleRun().run;
    const failing = (changes: Partial<typeof scenario>) => {
      const cells = [exampleCell({ second: 12, phase: 2, clean: [[5, 985]], counts: { failed: 15 } })];
      return canStillHold(exampleRun({ cells }, { ...scenario, ...changes }), thresholdOf('failed{phase:spike}', 'rate<=0.002'), planned);
    };
    const phases = scenario.phases.map((phase) => ({ ...phase, traffic: [{ chain: 'launch', weight: 1 }] }));
    expect(failing({})).toBe(false);
    expect(failing({ chains: { launch: ['authenticate', 'ingest'] }, phases })).toBe(true);
    expect(failing({ fleet: { ...scenario.fleet, retry: { kind: 'ignore', triesMax: 2 } } })).toBe(true);
  });

  test('what is known only after the run may always hold', () => {
    for (const [metric, expression] of [
      ['events_lost', 'count==0'],
      ['pipeline_drain_seconds', 'value<1'],
      ['recovery_seconds{phase:spike,baseline:calm}', 'value<1'],
    ] as const) {
      expect(canStillHold(exampleRun({ pipelineDrainSeconds: 99, cells: [] }), thresholdOf(metric, expression), planned)).toBe(true);
    }
  });
});

describe('chains', () => {
  const scenario = {
    ...exampleRun().run.scenario,
    chains: { launch: ['authenticate', 'ingest'] },
    phases: exampleRun().run.scenario.phases.map((phase) => ({ ...phase, traffic: [{ chain: 'launch', weight: 1 }] })),
  };
  const first = { ...exampleCell({ second: 12, phase: 2, operation: 'authenticate', clean: [[5, 80]], counts: { failed: 20 } }) };
  const last = exampleCell({ second: 12, phase: 2, operation: 'ingest', clean: [[30, 75]], counts: { failed: 5 } });
  const firstTimes = { response: first.times.response, service: first.times.service } as typeof first.times;
  const lastTimes = { service: last.times.service, chain: last.times.chain } as typeof last.times;
  const run = exampleRun(
    {
      cells: [
        { ...first, times: firstTimes },
        { ...last, times: lastTimes },
      ],
    },
    scenario,
  );
  const samplesOf = (metric: string): number => observe(run, thresholdOf(metric, 'p(99)<250')).samples;

  test('a response is the first operation’s, with its failures only', () => {
    expect(samplesOf('response_ms{phase:spike}')).toBe(100);
    expect(samplesOf('response_ms{phase:spike,operation:ingest}')).toBe(0);
  });

  test('a chain breaks with any of its operations', () => {
    expect(samplesOf('chain_ms{phase:spike}')).toBe(100);
    expect(observe(run, thresholdOf('chain_ms{phase:spike}', 'p(75)<250')).holds).toBe('yes');
    expect(observe(run, thresholdOf('chain_ms{phase:spike}', 'p(76)<250')).holds).toBe('no');
  });

  test('service is of each operation', () => {
    expect(samplesOf('service_ms{phase:spike}')).toBe(180);
    expect(samplesOf('service_ms{phase:spike,operation:ingest}')).toBe(80);
    const cells = selectCells(run, thresholdOf('service_ms', 'p(99)<1').metric, { operation: 'ingest' });
    expect(sumSamples(cells, 'service')).toMatchObject({ planned: 80, failed: 5, resolved: 80 });
  });
});
