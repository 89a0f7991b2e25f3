/** What was typed of a run against any URL becomes its request and its plan. */
import { readFileSync } from 'node:fs';
import { messageOf } from '#harness/message-of.ts';
import { readUrlRequest, type UrlRequest } from './url-request.ts';
import { readSeconds, type UrlPlan, urlScenario } from './url-scenario.ts';

export type UrlOptions = {
  readonly url?: string | undefined;
  readonly rate?: number | undefined;
  readonly duration?: string | undefined;
  readonly warmUp?: string | undefined;
  readonly method?: string | undefined;
  readonly header?: readonly string[] | undefined;
  readonly body?: string | undefined;
  readonly expect?: string | undefined;
  readonly p99?: number | undefined;
  readonly connections?: number | undefined;
  readonly timeout?: string | undefined;
};

/** `value`: a scenario that nobody has checked yet. */
export type ReadUrl = { readonly kind: 'ok'; readonly request: UrlRequest; readonly value: unknown } | { readonly kind: 'error'; readonly message: string };

const defaults = { rate: 50, duration: '30s', timeout: '10s', connections: 64 } as const;
/** Of the load: compilers and caches of a service are warm by then, or it takes longer anyway. */
const warmUpShare = 1 / 6;
const warmUpSecondsMax = 10;
const connectionsMax = 10_000;
const timeoutSecondsMax = 60;

class Trouble extends Error {}

export function readUrl(options: UrlOptions & { readonly url: string }, environment: Readonly<Record<string, string | undefined>>): ReadUrl {
  try {
    const plan = planOf(options);
    const body = options.body === undefined ? undefined : { file: options.body, bytes: readBody(options.body) };
    const read = readUrlRequest({ url: options.url, method: options.method, header: options.header ?? [], body, expect: options.expect }, environment);
    return read.kind === 'error' ? read : { kind: 'ok', request: read.request, value: urlScenario(read.request, plan) };
  } catch (error) {
    if (error instanceof Trouble) return { kind: 'error', message: error.message };
    throw error;
  }
}

function planOf({ rate = defaults.rate, duration = defaults.duration, warmUp, timeout = defaults.timeout, ...options }: UrlOptions): UrlPlan {
  const { connections = defaults.connections, p99 } = options;
  if (!(rate > 0)) throw new Trouble(`--rate is requests a second and has to be above 0, not ${rate}`);
  if (!Number.isInteger(connections) || connections < 1 || connections > connectionsMax)
    throw new Trouble(`--connections has to be a whole number from 1 to ${connectionsMax.toLocaleString('en-US')}`);
  if (p99 !== undefined && !(p99 > 0)) throw new Trouble(`--p99 is milliseconds and has to be above 0, not ${p99}`);
  const durationSeconds = secondsOf('duration', duration);
  if (durationSeconds < 1) throw new Trouble('--duration has to be a second at least: shorter ones say nothing of a p99');
  const timeoutSeconds = secondsOf('timeout', timeout);
  if (timeoutSeconds <= 0 || timeoutSeconds > timeoutSecondsMax) throw new Trouble(`--timeout has to be above 0 and at most ${timeoutSecondsMax}s`);
  const warmUpSeconds = warmUp === undefined ? Math.min(warmUpSecondsMax, Math.ceil(durationSeconds * warmUpShare)) : secondsOf('warm-up', warmUp);
  return { ratePerSecond: rate, durationSeconds, warmUpSeconds, connections, timeoutMs: Math.round(timeoutSeconds * 1000), p99Ms: p99 };
}

function secondsOf(option: string, text: string): number {
  const seconds = readSeconds(text);
  if (seconds === undefined) throw new Trouble(`--${option} has to be a time, as 30s, 500ms or 2m, not ${text}`);
  return seconds;
}

function readBody(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Trouble(`--body ${file} cannot be read: ${messageOf(error)}`);
  }
}
