/** The scenario that `--url` stands for: a warm-up and a load at one rate. Pure. */
import { urlOperation } from './url-operations.ts';
import type { UrlRequest } from './url-request.ts';

export type UrlPlan = {
  readonly ratePerSecond: number;
  readonly durationSeconds: number;
  /** Not measured; 0: none. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly timeoutMs: number;
  readonly p99Ms: number | undefined;
};

/** A query may hold what nobody else is to read: a record says that there is one. */
export function shownUrl({ origin, path }: Pick<UrlRequest, 'origin' | 'path'>): string {
  const [pathname = '', query] = path.split('?', 2);
  return `${origin}${pathname}${query === undefined ? '' : '?…'}`;
}

/** Unchecked: it goes the way of a scenario that was read from a file. */
export function urlScenario(request: UrlRequest, plan: UrlPlan): unknown {
  const { ratePerSecond, durationSeconds, warmUpSeconds, connections, timeoutMs, p99Ms } = plan;
  const phase = (name: string, seconds: number, measured: boolean) => ({
    name,
    measured,
    durationSeconds: seconds,
    rate: { kind: 'constant', ratePerSecond },
  });
  const response = `response_ms{phase:load,operation:${urlOperation}}`;
  return {
    name: 'url',
    description: `${request.method} ${shownUrl(request)}: ${ratePerSecond}/s for ${durationSeconds} s.`,
    fleet: { accounts: 1, devices: connections, connection: { kind: 'per-device-group', connections }, timeoutMs },
    // The chain that a phase has without saying.
    chains: { ingest: [urlOperation] },
    phases: [...(warmUpSeconds > 0 ? [phase('warm-up', warmUpSeconds, false)] : []), phase('load', durationSeconds, true)],
    thresholds: [
      ...(p99Ms === undefined ? [] : [{ metric: response, expression: `p(99)<${p99Ms}` }]),
      { metric: `failed{phase:load,operation:${urlOperation}}`, expression: 'rate<0.001' },
    ],
  };
}

const units: Readonly<Record<string, number>> = { '': 1, ms: 0.001, s: 1, m: 60, h: 3600 };

/** Seconds of `30s`, `500ms`, `2m`, `1h` or a plain number of seconds; undefined where it is none. */
export function readSeconds(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
  return digits === '' ? undefined : Number(digits) * (units[unit] as number);
}
