/** Published at GET /v1/limits and enforced from here: one number, one place. */
export const limits = {
  eventsPerBatchMax: 500,
  eventBytesMax: 16 * 1024,
  batchBytesMax: 1024 * 1024,
  unpackedBytesMax: 4 * 1024 * 1024,
  eventIdCharactersMax: 64,
  deviceIdCharactersMax: 64,
  dedupeHours: 24,
  idempotencyHours: 24,
  idempotencyKeyCharactersMax: 128,
  hotWindowHours: 24,
  historyPageMax: 1000,
  exportPageMax: 50_000,
  deviceTokenSeconds: 3600,
  userTokenSecondsMax: 86_400,
} as const;
