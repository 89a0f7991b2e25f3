/** The one operation of a run against any URL. It knows statuses and nothing of what an answer says. */
import type { Judgement, Operation } from '#harness/target/operation.ts';
import type { UrlRequest } from './url-request.ts';

export const urlOperation = 'request';

export function operationsOf({ method, path, headers, body, expect }: UrlRequest): readonly Operation[] {
  const request = { method, path, headers, body };
  const good: Judgement = { kind: 'good', acknowledged: 0, duplicate: 0 };
  return [
    {
      name: urlOperation,
      request: () => request,
      judge: ({ status }) => (expect.some(({ from, until }) => status >= from && status <= until) ? good : { kind: 'failed', reason: reasonOf(status) }),
    },
  ];
}

const reasonOf = (status: number): string => `status ${status}${status >= 300 && status < 400 && status !== 304 ? ' (redirects are not followed)' : ''}`;
