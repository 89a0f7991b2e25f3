import { type BreakerBounds, type OutwardBounds, outwardBoundsDefault } from '#system/store/store.ts';

export type WebhookSettings = {
  /** Longest wait before each attempt; as many attempts as there are numbers. */
  readonly scheduleMs: readonly number[];
  /** Of an attempt, from resolving the name to the answer's last byte. */
  readonly timeoutMs: number;
  /** Attempts of one worker at a time. */
  readonly attemptsAtOnceMax: number;
  /** Attempts of one endpoint at a time, over all workers. */
  readonly attemptsPerEndpointMax: number;
  readonly breaker: BreakerBounds;
  readonly bounds: OutwardBounds;
  readonly handshakeSeconds: number;
  readonly overlapSeconds: number;
  /** Where the service is reached from outside; undefined: what the request that made the endpoint called it. */
  readonly publicUrl: string | undefined;
  /** Networks inside that may be told all the same. */
  readonly allowedNetworks: readonly string[];
  /** Undefined: the machine's own way. */
  readonly dnsServer: string | undefined;
};

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

export const webhookDefaults: WebhookSettings = {
  // The schedule that Standard Webhooks gives as its example.
  scheduleMs: [0, 5 * secondMs, 5 * minuteMs, 30 * minuteMs, 2 * hourMs, 5 * hourMs, 10 * hourMs, 14 * hourMs, 20 * hourMs, 24 * hourMs],
  timeoutMs: 15 * secondMs,
  attemptsAtOnceMax: 128,
  attemptsPerEndpointMax: 4,
  breaker: { failuresMax: 10, openMs: 30 * secondMs },
  bounds: outwardBoundsDefault,
  handshakeSeconds: 172_800,
  overlapSeconds: 86_400,
  publicUrl: undefined,
  allowedNetworks: [],
  dnsServer: undefined,
};
