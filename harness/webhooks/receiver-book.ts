/** What a measured receiver writes down: the events of each of its endpoints, and what happened in each second. It is given its clock. */
import { TimeRecorder } from '#harness/engine/native/time-recorder.ts';
import { type PhaseBegun, phaseAt } from '#harness/engine/streams/stream-recorder.ts';
import { emptyHistogram } from '#harness/metrics/histogram.ts';
import type { WebhookCounts, WebhookDelta } from '#harness/run-result.ts';
import type { WebhookReaction } from '#harness/scenario.ts';
import { confirmationType } from '#system/protocol/webhooks.ts';
import { byDefault, type Hit, type Reaction } from './receiver.ts';
import { isSignedBy } from './receiver-counts.ts';

/** Of one account. `confirmsBy`: what happens to its handshake, an echo, or a visit of whoever started the receiver. */
export type ReceiverEndpoint = {
  readonly path: string;
  readonly receiver: string;
  readonly reaction: WebhookReaction;
  readonly confirmsBy: 'echo' | 'visit';
};

/** Events of one type that came to an endpoint, each id once; lists of one length. */
export type EndpointArrivals = {
  readonly ids: readonly string[];
  /** `device_id` of the event's data; empty without one. */
  readonly devices: readonly string[];
  /** How often it was answered with 2xx, to the last byte. */
  readonly accepted: readonly number[];
};

export type BookClock = {
  /** Since the run's origin. */
  readonly nowMs: () => number;
  /** Wall clock at the origin. */
  readonly originWallMs: number;
  /** May the receiver's own stop have made something late that happened then? */
  readonly touched: (sinceMs: number) => boolean;
};

type Arrived = { readonly type: string; readonly device: string; attempts: number; accepted: number };
type Kept = ReceiverEndpoint & { secret: string | undefined; open: number; readonly events: Map<string, Arrived> };
type Place = { readonly second: number; readonly phase: number; readonly receiver: string };
type Counts = { -readonly [name in keyof WebhookCounts]?: number };

class Cell {
  readonly place: Place;
  readonly counts: Counts = {};
  openMax = 0;
  clean: TimeRecorder | undefined = undefined;
  spoiled: TimeRecorder | undefined = undefined;

  constructor(place: Place) {
    this.place = place;
  }

  count(name: keyof WebhookCounts): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** Before it begins there is nothing to be told, and everything counts as of the first second. */
const notBegun: BookClock = { nowMs: () => 0, originWallMs: 0, touched: () => false };

export class ReceiverBook {
  readonly #endpoints: Kept[] = [];
  readonly #byPath = new Map<string, Kept>();
  readonly #phases: PhaseBegun[] = [];
  readonly #spare: TimeRecorder[] = [];
  #cells = new Map<string, Cell>();
  #clock = notBegun;

  begin(clock: BookClock): void {
    this.#clock = clock;
  }

  serve(endpoints: readonly ReceiverEndpoint[]): void {
    for (const endpoint of endpoints) {
      const kept: Kept = { ...endpoint, secret: undefined, open: 0, events: new Map() };
      this.#endpoints.push(kept);
      this.#byPath.set(endpoint.path, kept);
    }
  }

  /** Of the endpoint's webhook: from now on every attempt has to be signed with it. */
  expect(path: string, secret: string): void {
    const endpoint = this.#byPath.get(path);
    if (endpoint !== undefined) endpoint.secret = secret;
  }

  phase(phase: number, startMs: number): void {
    this.#phases.push({ phase, startMs });
  }

  has(path: string): boolean {
    return this.#byPath.has(path);
  }

  /** What becomes of a request to one of its endpoints. */
  reactionTo(hit: Hit): Reaction {
    const endpoint = this.#of(hit);
    if (hit.type !== confirmationType) return asReaction(endpoint.reaction, this.#clock.nowMs() - (this.#phases[0]?.startMs ?? Number.POSITIVE_INFINITY));
    return endpoint.confirmsBy === 'echo' ? byDefault(hit, 0) : { kind: 'answer', status: 200 };
  }

  /** Where the address of a handshake leads that has to be visited. */
  visitOf(hit: Hit): string | undefined {
    return hit.type === confirmationType && this.#of(hit).confirmsBy === 'visit' ? String(hit.data.confirm_url) : undefined;
  }

  /** An attempt came; gives back what is to be called when it is over. Handshakes are none. */
  attempt(hit: Hit): (accepted: boolean) => void {
    if (hit.type === confirmationType) return () => undefined;
    const endpoint = this.#of(hit);
    const cell = this.#cell(this.#clock.nowMs(), endpoint);
    cell.count('attempts');
    if (endpoint.secret === undefined || !isSignedBy(endpoint.secret, hit)) cell.count('unsigned');
    cell.openMax = Math.max(cell.openMax, ++endpoint.open);
    const event = endpoint.events.get(hit.id) ?? this.#first(endpoint, hit);
    if (event.attempts++ > 0) cell.count('repeated');
    return (accepted) => {
      endpoint.open--;
      if (!accepted) return;
      event.accepted++;
      // Of the attempt, whose second may have been handed over.
      this.#cell(this.#clock.nowMs(), endpoint).count('accepted');
    };
  }

  arrivals(path: string, type: string): EndpointArrivals {
    const events = [...(this.#byPath.get(path)?.events ?? [])].filter(([, event]) => event.type === type);
    return { ids: events.map(([id]) => id), devices: events.map(([, { device }]) => device), accepted: events.map(([, { accepted }]) => accepted) };
  }

  /** Hands over what was counted since the last time. */
  take(): WebhookDelta['cells'] {
    const cells = [...this.#cells.values()].map((cell) => this.#handOver(cell));
    this.#cells = new Map();
    return cells;
  }

  #of({ path }: Hit): Kept {
    return this.#byPath.get(path) as Kept;
  }

  #first(endpoint: Kept, hit: Hit): Arrived {
    const device = hit.data.device_id;
    const event: Arrived = { type: hit.type, device: typeof device === 'string' ? device : '', attempts: 0, accepted: 0 };
    endpoint.events.set(hit.id, event);
    const happenedMs = happenedWallMs(hit) - this.#clock.originWallMs;
    // A body without a time is counted where it came: it has no delay.
    const cell = this.#cell(Number.isNaN(happenedMs) ? this.#clock.nowMs() : happenedMs, endpoint);
    cell.count('deliveries');
    if (!Number.isNaN(happenedMs)) this.#delay(cell, hit.wallMs - this.#clock.originWallMs - happenedMs, this.#clock.touched(happenedMs));
    return event;
  }

  #delay(cell: Cell, ms: number, isSpoiled: boolean): void {
    const name = isSpoiled ? 'spoiled' : 'clean';
    cell[name] ??= this.#spare.pop() ?? new TimeRecorder();
    cell[name].recordMs(ms);
  }

  #cell(atMs: number, { receiver }: Kept): Cell {
    const place = { second: Math.max(0, Math.floor(atMs / 1000)), phase: phaseAt(this.#phases, atMs), receiver };
    const key = `${place.second} ${place.phase} ${receiver}`;
    const cell = this.#cells.get(key) ?? new Cell(place);
    this.#cells.set(key, cell);
    return cell;
  }

  #handOver({ place, counts, openMax, clean, spoiled }: Cell): WebhookDelta['cells'][number] {
    const delay = { clean: clean?.take() ?? emptyHistogram, spoiled: spoiled?.take() ?? emptyHistogram };
    for (const recorder of [clean, spoiled]) if (recorder !== undefined) this.#spare.push(recorder);
    return { ...place, counts, openMax, times: clean === undefined && spoiled === undefined ? {} : { delay } };
  }
}

function happenedWallMs({ body }: Hit): number {
  try {
    return Date.parse(String((JSON.parse(body) as { timestamp?: unknown } | null)?.timestamp));
  } catch {
    return Number.NaN;
  }
}

const ok = { kind: 'answer', status: 200 } as const satisfies Reaction;

/** `elapsedMs`: since the first phase began. */
function asReaction(reaction: WebhookReaction, elapsedMs: number): Reaction {
  switch (reaction.kind) {
    case 'ok':
      return ok;
    case 'slow':
      return { ...ok, afterMs: reaction.ms };
    case 'hang':
    case 'cut':
      return { kind: reaction.kind };
    case 'status':
      return {
        ...ok,
        status: reaction.status,
        ...(reaction.retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(reaction.retryAfterSeconds) } }),
      };
    case 'recovers':
      return elapsedMs >= reaction.afterSeconds * 1000 ? ok : { ...ok, status: 503 };
  }
}
