import { problemDocument } from '#system/protocol/errors.ts';
import type { LaneName } from './lanes.ts';

export type Shed = { readonly lane: LaneName; readonly instance: string; readonly requestId: string; readonly retryAfter: number };

/** The answer 503 of a lane that is shed. `retryAfter` is in seconds; the body is ASCII. */
export function laneShed({ lane, instance, requestId, retryAfter }: Shed): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const detail = `The lane "${lane}" is shed: come back after ${retryAfter} s.`;
  const body = JSON.stringify(problemDocument({ code: 'lane-shed', detail, instance, requestId, extra: { lane, retry_after: retryAfter } }));
  return {
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'retry-after': String(retryAfter),
      'x-request-id': requestId,
    },
    body,
  };
}
