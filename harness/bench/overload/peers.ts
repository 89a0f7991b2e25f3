/** k6 and vegeta in the same overload: as many connections as ours may have, read as they report. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished, onPath } from '#harness/bench/peers/commands.ts';
import { body, path, token } from '#harness/bench/peers/peer.ts';
import { readChildrenCpuMicros } from '#harness/metrics/proc.ts';
import { connectionsMax, type OverloadPlan, plannedOf, settleMs, startBucket, timeoutMs } from './plan.ts';

/** The phase after the overload in two: until everything has to be as before, and from then on. */
type Stage = { readonly name: string; readonly fromSeconds: number; readonly seconds: number; readonly ratePerSecond: number };

type Said = {
  /** By the tool: requests that it made, and that it says it left out (null: it does not say). */
  readonly requests: number;
  readonly leftOut: number | null;
  readonly p99BeforeMs: number | null;
  readonly p99AfterMs: number | null;
  readonly cpuMicros: number;
};

type Asked = {
  readonly program: string;
  readonly url: string;
  readonly folder: string;
  readonly stages: readonly Stage[];
  readonly signal: AbortSignal;
};
type Tool = { readonly name: string; readonly ask: (asked: Asked) => Promise<Said> };

function stagesOf([before, over, after]: OverloadPlan): readonly Stage[] {
  const settling = (timeoutMs + settleMs) / 1000;
  const overFrom = before.seconds;
  const afterFrom = overFrom + over.seconds;
  return [
    { ...before, fromSeconds: 0 },
    { ...over, fromSeconds: overFrom },
    { ...after, name: 'settling', fromSeconds: afterFrom, seconds: settling },
    { ...after, fromSeconds: afterFrom + settling, seconds: after.seconds - settling },
  ];
}

const k6Script = ({ url, stages, folder }: Asked): string => `import http from 'k6/http';
const stages = ${JSON.stringify(stages)};
export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['p(99)'],
  scenarios: Object.fromEntries(stages.map(({ name, fromSeconds, seconds, ratePerSecond }) => [name, {
    executor: 'constant-arrival-rate', rate: ratePerSecond, timeUnit: '1s', startTime: fromSeconds + 's', duration: seconds + 's',
    preAllocatedVUs: 256, maxVUs: ${connectionsMax}, gracefulStop: '${timeoutMs}ms' }])),
  thresholds: Object.fromEntries(stages.map(({ name }) => ['http_req_duration{scenario:' + name + '}', ['max>=0']])),
};
const params = { timeout: ${timeoutMs}, headers: { authorization: 'Bearer ${token}', 'content-type': 'application/json' } };
const body = ${JSON.stringify(body)};
export default () => { http.post('${url}', body, params); };
export const handleSummary = ({ metrics }) => ({ ${JSON.stringify(join(folder, 'summary.json'))}: JSON.stringify(metrics) });
`;

async function askK6(asked: Asked): Promise<Said> {
  const script = join(asked.folder, 'script.js');
  writeFileSync(script, k6Script(asked));
  const { cpuMicros } = await finished(asked.program, ['run', '--quiet', '--no-usage-report', '--no-color', script], asked.signal);
  const metrics = JSON.parse(readFileSync(join(asked.folder, 'summary.json'), 'utf8')) as Record<
    string,
    { readonly values: Readonly<Record<string, number>> } | undefined
  >;
  const p99 = (stage: string): number | null => metrics[`http_req_duration{scenario:${stage}}`]?.values['p(99)'] ?? null;
  return {
    requests: metrics.http_reqs?.values.count ?? 0,
    leftOut: metrics.dropped_iterations?.values.count ?? 0,
    p99BeforeMs: p99('before'),
    p99AfterMs: p99('after'),
    cpuMicros,
  };
}

/** It knows one rate, so that each stage is a process of its own, begun in time. */
async function askVegeta({ program, url, folder, stages, signal }: Asked): Promise<Said> {
  writeFileSync(join(folder, 'body.json'), body);
  writeFileSync(join(folder, 'targets'), `POST ${url}\n`);
  const attack = async ({ name, fromSeconds, seconds, ratePerSecond }: Stage): Promise<void> => {
    await sleep(fromSeconds * 1000, undefined, { signal });
    const files = [`-targets=${join(folder, 'targets')}`, `-body=${join(folder, 'body.json')}`, `-output=${join(folder, name)}`];
    const how = [`-rate=${ratePerSecond}`, `-duration=${seconds}s`, `-timeout=${timeoutMs}ms`, `-max-connections=${connectionsMax}`];
    const headers = ['-header', `authorization: Bearer ${token}`, '-header', 'content-type: application/json'];
    await finished(program, ['attack', ...files, ...how, ...headers], signal);
  };
  const before = readChildrenCpuMicros() ?? Number.NaN;
  await Promise.all(stages.map(attack));
  const cpuMicros = (readChildrenCpuMicros() ?? Number.NaN) - before;
  const reports = await Promise.all(
    stages.map(async ({ name }) => {
      const { stdout } = await finished(program, ['report', '-type=json', join(folder, name)], signal);
      return JSON.parse(stdout) as { readonly requests: number; readonly latencies: Readonly<Record<string, number>> };
    }),
  );
  const p99 = (stage: number): number | null => (reports[stage]?.latencies['99th'] ?? Number.NaN) / 1e6 || null;
  const requests = reports.reduce((sum, one) => sum + one.requests, 0);
  return { requests, leftOut: null, p99BeforeMs: p99(0), p99AfterMs: p99(3), cpuMicros };
}

const tools: readonly Tool[] = [
  { name: 'k6', ask: askK6 },
  { name: 'vegeta', ask: askVegeta },
];

async function measure({ name, ask }: Tool, plan: OverloadPlan, program: string, signal: AbortSignal) {
  const target = await startBucket();
  const folder = mkdtempSync(join(tmpdir(), `headroom-${name}-`));
  try {
    const url = `http://127.0.0.1:${target.port}${path}`;
    const said = await ask({ program, url, folder, stages: stagesOf(plan), signal });
    const planned = plannedOf(plan);
    return {
      planned,
      fired: (await target.report()).requests,
      never_fired: said.leftOut,
      unaccounted: planned - said.requests - (said.leftOut ?? 0),
      cpu_us_a_planned: said.cpuMicros / planned,
      p99_before_ms: said.p99BeforeMs,
      p99_after_ms: said.p99AfterMs,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await target.stop();
  }
}

export const overloadPeers = tools.map((tool) => ({
  name: tool.name,
  find: () => onPath(tool.name),
  run: (plan: OverloadPlan, program: string, signal: AbortSignal): Promise<Readonly<Record<string, number | null>>> => measure(tool, plan, program, signal),
}));
