/** POST /v1/events, history and export. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { accountOf, asIs } from './exchange.ts';
import { type Accept, readBatch } from './ingest/accept.ts';
import { decodeCursor, encodeCursor } from './ingest/cursor.ts';
import { ingestAnswerType } from './plain-ingest.ts';
import { Problem } from './protocol/errors.ts';
import { limits } from './protocol/limits.ts';
import { oneLine } from './protocol/one-line.ts';
import { ExportQuery, IngestAnswer, IngestBody } from './protocol/schemas.ts';
import { allPartitions, type Disposition, type LogEvent } from './store/store.ts';

export type ShownEvent = LogEvent & { readonly disposition: Disposition };

export function ingestRoutes(app: FastifyInstance, deps: AppDeps & { readonly accept: Accept }): void {
  app.post(
    '/v1/events',
    {
      config: { callers: ['device'], lane: 'ingest', keepsBytes: true },
      schema: { summary: 'Send a batch of events', security: [{ bearer: [] }], body: IngestBody, response: { 202: IngestAnswer } },
      // The body is bytes here; parseBatch is what validates it.
      validatorCompiler: () => () => true,
    },
    (request, reply) => ingest(request, reply, deps.accept),
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

async function ingest(request: FastifyRequest, reply: FastifyReply, accept: Accept): Promise<FastifyReply> {
  const { caller, body } = request;
  if (caller?.kind !== 'device') throw new Problem('forbidden', 'Events come with a device token.');
  if (!Buffer.isBuffer(body)) throw new Problem('empty-batch', 'Send one event at least.');
  const batch = readBatch(body);
  const text = await accept({ device: caller, body, batch, idempotencyKey: readIdempotencyKey(request) });
  // A string is sent as it is.
  return reply.code(202).type(ingestAnswerType).serializer(asIs).send(text);
}

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
