/** Items of a device's user: written again and again, written once and deleted, written once and shared. */
import { bearer, failed, jsonBody, judgeRefusal, parseBody } from './answers.ts';
import { eventIdOf } from './event-ids.ts';
import { recipientOf, userNameOf, userOfArrival } from './item-laws.ts';
import type { Judgement, Operation, OperationContext, OperationResponse } from './operation.ts';
import { onceKeyOf } from './stream-contract.ts';

const collection = 'trips';

/** Its id says which arrival wrote it; the rest is there to be carried. */
function itemBody({ run, arrival, items }: OperationContext): string {
  const head = `{"id":"${eventIdOf(run, arrival, 0)}","note":"`;
  return `${head}${'x'.repeat(Math.max(0, items.bytes - head.length - 2))}"}`;
}

function put(name: string, keyOf: (context: OperationContext) => string): Operation {
  return {
    name,
    keeps: 'item',
    request: (context) => ({
      method: 'PUT',
      path: `/v1/sync/${collection}/${keyOf(context)}`,
      headers: [bearer(context.device.token), jsonBody],
      body: itemBody(context),
    }),
    judge: (response) => {
      if (response.status !== 201 && response.status !== 200) return judgeRefusal(response);
      const { version } = parseBody(response.body) ?? {};
      if (typeof version !== 'number') return failed('no version');
      return judgeCursor(response, { etag: `"v${version}"`, promised: 'write' });
    },
  };
}

/** Without the cursor nobody could read what they wrote. */
function judgeCursor(
  { header }: OperationResponse,
  { etag, promised }: { readonly etag: string | undefined; readonly promised: 'write' | 'second' },
): Judgement {
  if ((header('sync-cursor') ?? '') === '') return failed('no Sync-Cursor');
  if (etag !== undefined && header('etag') !== etag) return failed('another ETag than its version');
  return { kind: 'good', acknowledged: 1, duplicate: 0, promised };
}

const deleteOnce: Operation = {
  name: 'delete-once',
  keeps: 'item',
  request: ({ arrival, device }) => ({
    method: 'DELETE',
    path: `/v1/sync/${collection}/${onceKeyOf(arrival)}`,
    headers: [bearer(device.token)],
    body: '',
  }),
  judge: (response) => (response.status === 204 ? judgeCursor(response, { etag: undefined, promised: 'second' }) : judgeRefusal(response)),
};

const shareOnce: Operation = {
  name: 'share-once',
  keeps: 'item',
  request: ({ run, arrival, device, items }) => {
    const to = userNameOf(run, recipientOf(userOfArrival(arrival, items), items));
    return {
      method: 'POST',
      path: '/v1/shares',
      headers: [bearer(device.token), jsonBody],
      body: `{"collection":"${collection}","item":"${onceKeyOf(arrival)}","to":{"user":"${to}"}}`,
    };
  },
  judge: (response) => {
    if (response.status !== 201) return judgeRefusal(response);
    return typeof parseBody(response.body)?.share_id === 'string' ? { kind: 'good', acknowledged: 1, duplicate: 0, promised: 'second' } : failed('no share_id');
  },
};

export const itemOperations: readonly Operation[] = [
  put('put-item', ({ chance, items }) => `k${Math.floor(chance * items.keysPerUser)}`),
  put('put-once', ({ arrival }) => onceKeyOf(arrival)),
  deleteOnce,
  shareOnce,
];
