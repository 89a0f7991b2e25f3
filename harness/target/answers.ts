/** What all operations of the contract share: credentials, refusals, bodies. */
import type { Judgement, OperationResponse } from './operation.ts';
import { retryAfterSeconds } from './retry-after.ts';

export const bearer = (token: string): string => `Authorization: Bearer ${token}`;
export const jsonBody = 'Content-Type: application/json';
export const failed = (reason: string): Judgement => ({ kind: 'failed', reason });

/** 429 and 503 that say when to come back are refusals by design; without it they are failures. */
export function judgeRefusal({ status, header }: OperationResponse): Judgement {
  const seconds = status === 429 || status === 503 ? retryAfterSeconds(header) : undefined;
  return seconds === undefined ? failed(`status ${status}`) : { kind: 'shed', retryAfterSeconds: seconds };
}

export function parseBody(body: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
