import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { metrics } from './catalogue.ts';
import { formatThresholdError, operators, type ParsedThreshold, parseThreshold, type ThresholdError } from './threshold.ts';

const names = { phases: ['warm-up', 'calm', 'spike'], operations: ['ingest', 'authenticate'], readers: ['maps', 'polling'] };

function parsed(metric: string, expression: string): ParsedThreshold {
  const result = parseThreshold({ metric, expression }, names);
  if (result.kind === 'error') throw new Error(formatThresholdError(result));
  return result.threshold;
}

function errorOf(metric: string, expression: string): ThresholdError {
  const result = parseThreshold({ metric, expression }, names);
  if (result.kind === 'ok') throw new Error(`${metric} ${expression} was taken`);
  return result;
}

test('the grammar of k6 with selectors and a window', () => {
  const threshold = parsed('response_ms{phase:spike, operation:ingest}', ' p(99.9) <= 250.5 over 10s ');
  expect(threshold).toMatchObject({
    selector: { phase: 'spike', operation: 'ingest' },
    aggregation: { kind: 'quantile', q: 0.999 },
    operator: '<=',
    limit: 250.5,
    overSeconds: 10,
  });
  expect(parsed('response_ms', 'med<5').aggregation).toEqual({ kind: 'quantile', q: 0.5 });
  expect(parsed('failed', 'rate<1e-3')).toMatchObject({ aggregation: { kind: 'rate' }, limit: 0.001, overSeconds: undefined });
  expect(parsed('events_lost', 'count==0')).toMatchObject({ operator: '==', limit: 0 });
  expect(parsed('recovery_seconds{phase:spike,baseline:calm}', 'value<=15').selector).toEqual({ phase: 'spike', baseline: 'calm' });
  expect(parsed('system:headroom_requests_total{lane:ingest,kind:x,phase:calm}', 'max>=1').selector).toEqual({ lane: 'ingest', kind: 'x', phase: 'calm' });
});

test('readers are a selector', () => {
  expect(parsed('resume_ms{phase:spike,reader:maps}', 'p(99)<30000').selector).toEqual({ phase: 'spike', reader: 'maps' });
  expect(parsed('streams_dialled{reader:polling}', 'max<=200 over 5s')).toMatchObject({ aggregation: { kind: 'max' }, overSeconds: 5 });
  const { readers: _, ...without } = names;
  expect(parseThreshold({ metric: 'streams_lost{reader:maps}', expression: 'count==0' }, without)).toMatchObject({ message: 'unknown reader "maps"' });
});

describe('an error points at its character', () => {
  test.each([
    ['respones_ms', 'p(99)<1', 'metric', 0, 'did you mean "response_ms"'],
    ['', 'p(99)<1', 'metric', 0, "a metric's name is missing"],
    ['response_ms{fase:spike}', 'p(99)<1', 'metric', 12, 'did you mean "phase"'],
    ['response_ms{phase:calm,  operation:ingets}', 'p(99)<1', 'metric', 35, 'did you mean "ingest"'],
    ['response_ms{phase: spikes}', 'p(99)<1', 'metric', 19, 'did you mean "spike"'],
    ['response_ms{phase:spike', 'p(99)<1', 'metric', 23, 'closing }'],
    ['response_ms{}', 'p(99)<1', 'metric', 12, 'name:value'],
    ['response_ms{phase:}', 'p(99)<1', 'metric', 18, 'value of phase is missing'],
    ['response_ms{phase:calm,phase:calm}', 'p(99)<1', 'metric', 23, 'twice'],
    ['response_ms p', 'p(99)<1', 'metric', 11, 'only {selector:value'],
    ['response_ms{outcome:okay}', 'p(99)<1', 'metric', 20, 'did you mean "ok"'],
    ['events_lost{phase:calm}', 'count==0', 'metric', 12, 'takes no selector'],
    ['recovery_seconds{phase:spike}', 'value<15', 'metric', 16, 'needs the selector baseline'],
    ['cpu_micros_per_request', 'value<50', 'metric', 22, 'needs the selector process'],
    ['system:x{phase:nope}', 'max<5', 'metric', 15, 'unknown phase "nope"'],
    ['response_ms', 'rate<0.1', 'expression', 0, 'response_ms has no rate'],
    ['failed', 'p(99)<1', 'expression', 0, 'failed has no p'],
    ['response_ms', 'maxx<1', 'expression', 0, 'did you mean "max"'],
    ['response_ms', '<1', 'expression', 0, 'expected an aggregation'],
    ['response_ms', 'p<1', 'expression', 1, 'percentile in brackets'],
    ['response_ms', 'p(101)<1', 'expression', 2, 'at most 100'],
    ['response_ms', 'p(0)<1', 'expression', 2, 'above 0'],
    ['response_ms', 'p(99)=250', 'expression', 5, 'expected one of'],
    ['response_ms', 'p(99)<fast', 'expression', 6, 'expected a number'],
    ['response_ms', 'p(99)<250ms', 'expression', 9, 'over 10s'],
    ['response_ms', 'p(99)<250 over 0s', 'expression', 15, '1 to 86400'],
    ['resume_ms{reader:map}', 'p(99)<1', 'metric', 17, 'unknown reader "map"; did you mean "maps"'],
    ['delivery_lag_ms{operation:ingest}', 'p(99)<1', 'metric', 16, 'unknown selector "operation" of delivery_lag_ms'],
    ['streams_hold', 'min>1', 'metric', 0, 'did you mean "streams_held"'],
    ['streams_held', 'avg>1', 'expression', 0, 'streams_held has no avg; it has min, max, last'],
    ['streams_held', 'min>1 over 5s', 'expression', 6, 'no windows'],
    ['cpu_micros_per_frame{reader:maps}', 'value<1', 'metric', 21, 'unknown selector "reader"'],
    ['events_lost', 'count==0 over 5s', 'expression', 9, 'no windows'],
  ])('%s %s', (metric, expression, where, position, message) => {
    const error = errorOf(metric, expression);
    expect(error).toMatchObject({ where, position });
    expect(error.message).toContain(message);
  });

  test('printed with a caret below it', () => {
    expect(formatThresholdError(errorOf('response_ms{fase:spike}', 'p(99)<1'))).toBe(
      'response_ms{fase:spike}\n            ^ unknown selector "fase" of response_ms; did you mean "phase"?',
    );
  });
});

test('whatever is typed is an answer with a place inside the text, never a throw', () => {
  const scraps = fc.constantFrom(
    'response_ms',
    'failed',
    '{',
    '}',
    ':',
    ',',
    'phase',
    'spike',
    'p',
    '(',
    ')',
    '99',
    '<',
    '==',
    ' ',
    'over',
    '10s',
    'system:',
    'é',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.array(scraps, { maxLength: 10 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, text, (metric, expression) => {
      const result = parseThreshold({ metric, expression }, names);
      if (result.kind === 'ok') return;
      expect(result.position).toBeGreaterThanOrEqual(0);
      expect(result.position).toBeLessThanOrEqual(result.text.length);
      expect(result.text).toBe(result.where === 'metric' ? metric : expression);
    }),
    { numRuns: 500 },
  );
});

test('every metric of the catalogue takes each of its aggregations, and all six operators', () => {
  for (const metric of metrics) {
    const selector = metric.required.map((one) => `${one}:${one === 'process' ? 'system' : 'spike'}`).join(',');
    for (const aggregation of metric.aggregations) {
      for (const operator of operators) {
        const written = `${aggregation === 'p' ? 'p(99)' : aggregation}${operator}1`;
        expect(parsed(selector === '' ? metric.name : `${metric.name}{${selector}}`, written).operator).toBe(operator);
      }
    }
  }
});
