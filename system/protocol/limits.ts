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
  /** Of every instant on the wire, by UTC. */
  instantMin: '1900-01-01T00:00:00.000Z',
  instantMax: '9999-12-31T23:59:59.999Z',
  /** A time that lies further behind its reception counts as this much behind it: a wrong clock must not have the last word for years. */
  recordedAheadMsMax: 600_000,
  /** A device's clock that moved by more than this, by `sent_at` against reception, is noticed. */
  clockChangeMs: 600_000,
  historyPageMax: 1000,
  devicesPageMax: 1000,
  exportPageMax: 50_000,
  graphqlBytesMax: 64 * 1024,
  graphqlTokensMax: 2000,
  deviceTokenSeconds: 3600,
  userTokenSecondsMax: 86_400,
  /** So that its frame, with key and cursor, stays below 64 KiB. */
  itemBytesMax: 60 * 1024,
  itemKeyCharactersMax: 128,
  collectionCharactersMax: 64,
  changesPageMax: 1000,
  channelsPerStreamMax: 32,
  frameBytesMax: 64 * 1024,
  heartbeatMsMin: 1000,
  streamPendingBytesMax: 1024 * 1024,
  streamUndrainedMsMax: 10_000,
} as const;

/** So that two heartbeats fit into a balancer's idle timeout even when one is late. */
export const heartbeatMsMax = (balancerIdleTimeoutMs: number): number => Math.floor((balancerIdleTimeoutMs * 5) / 12);
