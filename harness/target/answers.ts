/** What all operations of the contract share: credentials, refusals, bodies. */
import type { Judgement, OperationResponse } from './operation.ts';

export const bearer = (token: string): string => `Authorization: Bearer ${token}`;
export const jsonBody = 'Content-Type: application/json';
export const failed = (reason: string): Judgement => ({ kind: 'failed', reason });

/** 429 and 503 with a whole number of seconds are refusals by design; without one they are failures. */
export function judgeRefusal({ status, header }: OperationResponse): Judgement {
  const retryAfter = header('retry-after');
  if ((status === 429 || status === 503) && retryAfter !== undefined && /^\d+$/.test(retryAfter))
    return { kind: 'shed', retryAfterSeconds: Number(retryAfter) };
  return failed(`status ${status}`);
}

export function parseBody(body: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
