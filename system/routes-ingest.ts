/** POST /v1/events, history and export. */
import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { accountOf, asIs } from './exchange.ts';
import { type Clocks, createClocks } from './ingest/clocks.ts';
import { decodeCursor, encodeCursor } from './ingest/cursor.ts';
import { parseBatch } from './ingest/validate.ts';
import { Problem } from './protocol/errors.ts';
import { limits } from './protocol/limits.ts';
import { oneLine } from './protocol/one-line.ts';
import { ExportQuery, IngestAnswer, IngestBody } from './protocol/schemas.ts';
import { type AppendReceipt, allPartitions, type Disposition, type LogEvent } from './store/store.ts';

export type ShownEvent = LogEvent & { readonly disposition: Disposition };

type Deps = AppDeps & { /** Until what it returns is called, an append is in work. */ readonly appendBegan: () => () => void };

export function ingestRoutes(app: FastifyInstance, deps: Deps): void {
  const { store, clock, log } = deps;
  const onTrouble = (error: unknown): void => log('error', `a device’s clock: ${String(error)}`);
  const accepting = { ...deps, clocks: createClocks({ store, clock, toleranceMs: limits.clockChangeMs, onTrouble }) };
  app.post(
    '/v1/events',
    {
      config: { callers: ['device'], lane: 'ingest' },
      schema: { summary: 'Send a batch of events', security: [{ bearer: [] }], body: IngestBody, response: { 202: IngestAnswer } },
      // The body is bytes here; parseBatch is what validates it.
      validatorCompiler: () => () => true,
    },
    (request, reply) => accept(request, reply, accepting),
  );
  app.get(
    '/v1/export',
    {
      config: { callers: ['account'], lane: 'export' },
      schema: { summary: 'Every accepted event of the account', security: [{ basic: [] }], querystring: ExportQuery },
    },
    (request, reply) => sendExport(request, reply, deps),
  );
}

async function accept(
  request: FastifyRequest,
  reply: FastifyReply,
  { store, clock, counts, clocks, appendBegan }: Deps & { readonly clocks: Clocks },
): Promise<FastifyReply> {
  const { caller } = request;
  if (caller?.kind !== 'device') throw new Problem('forbidden', 'Events come with a device token.');
  const body = request.body;
  if (!Buffer.isBuffer(body)) throw new Problem('empty-batch', 'Send one event at least.');
  const batch = parseBatch(body);
  switch (batch.kind) {
    case 'invalid-json':
      throw new Problem('invalid-json', 'The body is not JSON.');
    case 'not-a-batch':
      throw new Problem('bad-request', 'Send an array of events, or an object with "events".');
    case 'empty':
      throw new Problem('empty-batch', 'Send one event at least.');
    case 'too-many':
      throw new Problem('batch-too-large', `A batch has at most ${limits.eventsPerBatchMax} events.`);
    case 'batch':
      break;
  }
  const rejected = batch.rejected.length === 0 ? '[]' : JSON.stringify(batch.rejected);
  const key = readIdempotencyKey(request);
  const begunMs = clock.monotonicMs();
  const appended = appendBegan();
  const appending = store.append({
    account: caller.account,
    device: caller.device,
    receivedAtMs: clock.wallMs(),
    events: batch.events,
    rejectedCount: batch.rejected.length,
    ...(key === undefined ? {} : { idempotency: { key, digest: hash('sha256', body, 'base64url'), note: rejected } }),
  });
  const result = await appending.finally(appended);
  counts?.recordAppend(clock.monotonicMs() - begunMs);
  if (result.kind === 'idempotency-mismatch') throw new Problem('idempotency-mismatch', 'This Idempotency-Key came with another body before.');
  if (batch.events.length === 0) throw new Problem('all-invalid', 'No event of the batch is valid.', { rejected: batch.rejected });
  if (batch.sentAtMs !== undefined) void clocks.compare({ account: caller.account, device: caller.device }, batch.sentAtMs);
  const shown = result.kind === 'replayed' ? result.note : rejected;
  reply.code(202).type('application/json; charset=utf-8');
  // The shape is known: a serialiser would look for it again. A string is sent as it is.
  return reply.serializer(asIs).send(answerText(result, shown, store.ackLevel));
}

const answerText = ({ accepted, duplicate, position }: AppendReceipt, rejected: string, durability: string): string =>
  `{"accepted":${accepted},"duplicate":${duplicate},"rejected":${rejected},"position":"${position}","durability":"${durability}"}`;

function readIdempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || key.length === 0 || key.length > limits.idempotencyKeyCharactersMax) {
    throw new Problem('bad-request', `Idempotency-Key has 1 to ${limits.idempotencyKeyCharactersMax} characters.`);
  }
  return key;
}

async function sendExport(request: FastifyRequest, reply: FastifyReply, { store }: AppDeps): Promise<FastifyReply> {
  const { after, limit = limits.exportPageMax } = request.query as { after?: string; limit?: number };
  const { epoch } = await store.readHeads([]);
  const cursor = after === undefined ? { epoch, positions: {} } : decodeCursor(after);
  if (cursor === undefined) throw new Problem('bad-cursor', 'This cursor was not given out by the export.');
  if (cursor.epoch !== epoch) throw new Problem('epoch-changed', 'The data went back to a backup since: begin the export anew.');
  const page = await store.readLog({ partitions: allPartitions, after: cursor.positions, limitEvents: limit, account: accountOf(request) });
  reply.header('export-cursor', encodeCursor({ epoch, positions: page.cursor })).type('application/x-ndjson; charset=utf-8');
  return reply.send(Buffer.concat(page.events.flatMap(exportLine)));
}

const lineEnd = Buffer.from('}\n');

/** Raw bytes into the line: what was accepted is what is read back. */
export function exportLine({ position, disposition, device, id, receivedAtMs, bytes }: ShownEvent): readonly Uint8Array[] {
  const head = `{"position":"${position}","disposition":"${disposition}","device_id":${JSON.stringify(device)},"id":${JSON.stringify(id)},"received_at":"${new Date(receivedAtMs).toISOString()}","event":`;
  return [Buffer.from(head), oneLine(bytes), lineEnd];
}
