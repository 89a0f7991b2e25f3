/**
 * What the script says of one request, and how the harness reads it. Tags have few values, since k6 keeps a time series for each combination
 * of them for as long as it runs; what is different for every request is metadata, which k6 only passes on. Pure, and bundled into the script.
 */
import type { Judgement } from '#harness/target/operation.ts';

/** A Trend: milliseconds from the first byte sent to the last one read, as k6 times them. */
export const sampleMetric = 'headroom_service';

/** By complete answer, or by how it failed. `acknowledged` and `stored-nothing`: of a good answer; `promised-second`: of a chain's delete or share. */
export type Kept = 'acknowledged' | 'promised-second' | 'stored-nothing' | 'refused' | 'unknown' | 'not-sent';
/** `failed`: by a complete answer. `cut`: there will never be one. */
export type OutcomeKind = 'good' | 'shed' | 'failed' | 'cut' | 'timeout' | 'own-limit';

type Answer = {
  readonly status: number;
  readonly error: string;
  readonly error_code: number;
  readonly timings: { readonly connecting: number; readonly tls_handshaking: number };
};

export type OutcomeInput = {
  readonly arrival: number;
  readonly step: number;
  /** Wall clock, by k6: when it began this phase. */
  readonly phaseStartMs: number;
  readonly judgement: Judgement;
  readonly late: boolean;
  readonly response: Answer;
};

/** Codes of k6: 1050 a timeout; 11xx names, 1210 to 1213 dialling, 13xx TLS: nothing of the request was sent. */
const timeoutCode = 1050;
const wasNotSent = (code: number): boolean => (code >= 1100 && code < 1200) || (code >= 1210 && code <= 1213) || (code >= 1300 && code < 1400);
/** The generator's own: such a failure says nothing about the target. */
const ownLimit = /too many open files|cannot assign requested address|no buffer space/i;

export function outcomeOf({ arrival, step, phaseStartMs, judgement, late, response }: OutcomeInput) {
  const connectMs = response.timings.connecting + response.timings.tls_handshaking;
  const place = `${arrival}:${step}:${phaseStartMs}:${connectMs > 0 ? connectMs.toFixed(3) : ''}`;
  const reason = late ? 'late' : judgement.kind === 'failed' ? reasonText(judgement.reason) : '';
  const tags = { outcome: kindOf(judgement, late, response), kept: keptOf(judgement, response), ...(reason === '' ? {} : { reason }) };
  return { tags, place };
}

function kindOf(judgement: Judgement, late: boolean, { status, error, error_code }: Answer): OutcomeKind {
  if (status !== 0) return late ? 'failed' : judgement.kind;
  if (error_code === timeoutCode) return 'timeout';
  return ownLimit.test(error) ? 'own-limit' : 'cut';
}

/** As the embedded engine keeps it: a 4xx, a 503 and a shed answer store nothing; after any other nobody knows. */
function keptOf(judgement: Judgement, { status, error_code }: Answer): Kept {
  if (judgement.kind === 'good') {
    if (judgement.promised === 'second') return 'promised-second';
    return judgement.acknowledged + judgement.duplicate > 0 ? 'acknowledged' : 'stored-nothing';
  }
  if (status === 0) return wasNotSent(error_code) ? 'not-sent' : 'unknown';
  return judgement.kind === 'shed' || (status >= 400 && status < 500) || status === 503 ? 'refused' : 'unknown';
}

/** Without what separates tags and columns, and without ports and addresses, which would make every text another one. */
const reasonText = (reason: string): string =>
  reason
    .replace(/\d+\.\d+\.\d+\.\d+(:\d+)?/g, '')
    .replace(/[^A-Za-z0-9 .:_-]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 80);
