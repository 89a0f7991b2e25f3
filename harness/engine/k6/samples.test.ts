import { expect, test } from 'vitest';
import type { Judgement } from '#harness/target/operation.ts';
import { outcomeOf } from './sample-format.ts';
import { type K6Sample, SampleReader } from './samples.ts';

const csv = [
  'metric_name,timestamp,metric_value,error_code,scenario,status,extra_tags,metadata',
  'http_req_duration,1795579581013424,2.037044,,load,202,phase=load&operation=ingest,',
  'headroom_service,1795579581013424,2.037044,,load,,kept=acknowledged&phase=load&outcome=good&operation=ingest,place=7:0:1795579581009:0.156',
  'dropped_iterations,1795579581014000,1.000000,,load,,,',
  'headroom_service,1795579581015000,30.500000,,load,,reason=status 500&kept=unknown&phase=load&outcome=failed&operation=ingest,place=8:1:1795579581009:',
  '',
].join('\n');

const first: K6Sample = {
  kind: 'request',
  arrival: 7,
  step: 0,
  phaseStartMs: 1795579581009,
  operation: 'ingest',
  outcome: 'good',
  kept: 'acknowledged',
  reason: '',
  endedAtMs: 1795579581013.424,
  serviceMs: 2.037044,
  connectMs: 0.156,
};

function read(chunks: readonly string[]): readonly K6Sample[] {
  const samples: K6Sample[] = [];
  const reader = new SampleReader((sample) => samples.push(sample));
  for (const chunk of chunks) reader.push(chunk);
  return samples.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'request' ? -1 : 1));
}

test('takes the samples of the script and dropped iterations, and leaves the rest', () => {
  const samples = read([csv]);
  expect(samples).toHaveLength(3);
  expect(samples[0]).toEqual(first);
  expect(samples[1]).toMatchObject({ arrival: 8, step: 1, outcome: 'failed', kept: 'unknown', reason: 'status 500', connectMs: undefined });
  expect(samples[2]).toEqual({ kind: 'dropped', phase: 'load', atMs: 1795579581014, count: 1 });
});

test('wherever chunks end, every sample comes once', () => {
  for (let at = 0; at <= csv.length; at++) expect(read([csv.slice(0, at), csv.slice(at)])).toEqual(read([csv]));
  expect(read([...csv])).toEqual(read([csv]));
});

const timings = { connecting: 0, tls_handshaking: 0 };
const answer = (status: number, error = '', error_code = 0) => ({ status, error, error_code, timings });
const good: Judgement = { kind: 'good', acknowledged: 1, duplicate: 0 };
const bad: Judgement = { kind: 'failed', reason: 'dial tcp 127.0.0.1:80: connect, refused & "gone"' };
const outcome = (judgement: Judgement, response: ReturnType<typeof answer>, late = false) =>
  outcomeOf({ arrival: 1, step: 0, phaseStartMs: 5, judgement, late, response }).tags;

test('what an answer, or none, leaves in the ledger', () => {
  expect(outcome(good, answer(202))).toEqual({ outcome: 'good', kept: 'acknowledged' });
  expect(outcome(good, answer(202), true)).toEqual({ outcome: 'failed', kept: 'acknowledged', reason: 'late' });
  expect(outcome({ ...good, acknowledged: 0 }, answer(200))).toMatchObject({ kept: 'stored-nothing' });
  expect(outcome({ ...good, promised: 'second' }, answer(204))).toMatchObject({ kept: 'promised-second' });
  expect(outcome({ kind: 'shed', retryAfterSeconds: 1 }, answer(429))).toEqual({ outcome: 'shed', kept: 'refused' });
  expect(outcome({ kind: 'failed', reason: 'status 500' }, answer(500))).toEqual({ outcome: 'failed', kept: 'unknown', reason: 'status 500' });
  expect(outcome(bad, answer(0, 'timeout', 1050))).toMatchObject({ outcome: 'timeout', kept: 'unknown' });
  expect(outcome(bad, answer(0, 'refused', 1212))).toMatchObject({ outcome: 'cut', kept: 'not-sent', reason: 'dial tcp : connect refused gone' });
  expect(outcome(bad, answer(0, 'socket: too many open files', 1213))).toMatchObject({ outcome: 'own-limit', kept: 'not-sent' });
  expect(outcome(bad, answer(0, 'reset by peer', 1220))).toMatchObject({ outcome: 'cut', kept: 'unknown' });
});
