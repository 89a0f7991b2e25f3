// The operation that calibration drives where none is given: an ingest request of the usual size, and its answer checked as usual.
import type { Operation } from '#harness/target/operation.ts';

type Answer = { readonly accepted?: unknown; readonly duplicate?: unknown };

const ingest: Operation = {
  name: 'ingest',
  request: (context) => {
    const recordedAt = new Date(context.intendedWallMs).toISOString();
    const events = Array.from({ length: context.eventsPerBatch }, (_, index) => ({
      id: `${context.run}-${context.arrival}-${index}`,
      type: 'location',
      recorded_at: recordedAt,
      data: { lat: 48.1 + context.chance, lon: 11.5 + context.chance, accuracy: 12.5, speed: 3.4, bearing: 270 },
    }));
    return {
      method: 'POST',
      path: '/v1/events',
      headers: [`Authorization: Bearer ${context.device.token}`, 'Content-Type: application/json'],
      body: JSON.stringify(events),
    };
  },
  judge: (response, context) => {
    if (response.status !== 202) return { kind: 'failed', reason: `status ${response.status}` };
    const answer = JSON.parse(response.body) as Answer;
    if (answer.accepted !== context.eventsPerBatch) return { kind: 'failed', reason: 'wrong count' };
    return { kind: 'good', acknowledged: context.eventsPerBatch, duplicate: 0 };
  },
};

export const operations: readonly Operation[] = [ingest];
