/**
 * Sends at its planned instants, whatever is still unanswered: an open loop, as the load is. A probe that waited for one answer before it sends the next would
 * be silent just while the service is slow. Knows no clock and no socket of its own.
 */
import { arrivalState } from '#harness/engine/engine.ts';
import type { ProbeMessage, ProbeSample } from './messages.ts';

/** What was answered; rejects where nothing whole came. `onWritten`: the first byte goes out. */
export type Ask = (arrival: number, onWritten: () => void) => Promise<Omit<ProbeSample, 'arrival' | 'behindMs'>>;

export type ProberInput = {
  /** The next arrival's instant. */
  readonly nextMs: () => number;
  readonly nowMs: () => number;
  /** Resolves at that instant, or as soon as the probe shall stop. */
  readonly until: (dueMs: number) => Promise<void>;
  readonly isStopping: () => boolean;
  readonly ask: Ask;
  readonly openMax: number;
  readonly say: (message: ProbeMessage) => void;
};

export class Prober {
  readonly #input: ProberInput;
  readonly #open = new Set<Promise<void>>();
  #samples: ProbeSample[] = [];

  constructor(input: ProberInput) {
    this.#input = input;
  }

  /** Until it shall stop, and until what was sent by then is answered or given up. */
  async run(): Promise<void> {
    const { nextMs, nowMs, until, isStopping, say } = this.#input;
    let arrival = 0;
    let dueMs = nextMs();
    for (const startedMs = nowMs(); dueMs < startedMs; dueMs = nextMs()) arrival++;
    say({ kind: 'begun', arrival });
    for (; ; arrival++, dueMs = nextMs()) {
      await until(dueMs);
      if (isStopping()) break;
      this.#fire(arrival, dueMs);
    }
    await Promise.all(this.#open);
    this.handOver();
    say({ kind: 'done', arrival });
  }

  /** Says what became of arrivals since the last call. */
  handOver(): void {
    const samples = this.#samples;
    this.#samples = [];
    if (samples.length > 0) this.#input.say({ kind: 'samples', samples });
  }

  #fire(arrival: number, dueMs: number): void {
    if (this.#open.size >= this.#input.openMax) {
      this.#samples.push({ arrival, kind: 'unsent', state: arrivalState.notFired });
      return;
    }
    const asked: Promise<void> = this.#take(arrival, dueMs).then((sample) => {
      this.#samples.push(sample);
      this.#open.delete(asked);
    });
    this.#open.add(asked);
  }

  async #take(arrival: number, dueMs: number): Promise<ProbeSample> {
    let behind: Pick<ProbeSample, 'behindMs'> = {};
    const onWritten = (): void => {
      behind = { behindMs: this.#input.nowMs() - dueMs };
    };
    try {
      const answer = await this.#input.ask(arrival, onWritten);
      return { arrival, ...answer, ...behind };
    } catch {
      return { arrival, kind: 'failed', state: arrivalState.unknown, ...behind };
    }
  }
}
