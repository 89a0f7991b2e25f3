/** Token buckets of accounts and devices: spent here, leased from the store. */
import type { QuotaStore } from '#system/store/store.ts';

/** `name` is what the caller is told. */
export type Policy = { readonly name: string; readonly ratePerSecond: number; readonly burst: number };

/** `left`: tokens at the last lease, less what was spent here since. */
export type Spent =
  | { readonly kind: 'spent'; readonly policy: Policy; readonly left: number }
  | { readonly kind: 'exceeded'; readonly policy: Policy; readonly waitMs: number };

/** What all buckets share. The wall clock is the store's: the same for all workers and nodes. */
export type BucketSource = QuotaStore & { readonly wallMs: () => number; readonly monotonicMs: () => number };

const quantumSeconds = 0.05;
const leaseMs = 1000;
/** A bucket that gave nothing is not asked again before it can have a token, and not oftener than this. */
const askAgainMsMin = 10;
const waitMsMax = 3_600_000;

/** There may be tens of thousands, one a device: fields and no closures. */
export class Bucket {
  readonly policy: Policy;
  readonly #source: BucketSource;
  readonly #key: string;
  readonly #creditTokens: number;
  #tokens: number;
  /** Spent on credit and not paid. */
  #owed = 0;
  #left: number;
  #untilMs = Number.POSITIVE_INFINITY;
  #emptyUntilMs = 0;
  #asking: Promise<void> | undefined;
  #waiting = 0;

  /** `creditTokens` are there while no lease is good, and paid with the next one. `key` names the bucket in the store. */
  constructor(source: BucketSource, { policy, key, creditTokens }: { readonly policy: Policy; readonly key: string; readonly creditTokens: number }) {
    this.policy = policy;
    this.#source = source;
    this.#key = key;
    this.#creditTokens = creditTokens;
    this.#tokens = Math.min(creditTokens, policy.burst);
    this.#left = policy.burst - this.#tokens;
  }

  /** One token; at once where there is one here. */
  spend(): Spent | Promise<Spent> {
    const nowMs = this.#source.monotonicMs();
    if (nowMs >= this.#untilMs) this.#borrow(nowMs);
    if (this.#tokens >= 1) return this.#take();
    return nowMs < this.#emptyUntilMs ? this.#exceeded(this.#emptyUntilMs - nowMs) : this.#spendLeased();
  }

  /** What a lease left is lost. Credit again, but for no more than the store should have by now: who is over the limit gets none. */
  #borrow(nowMs: number): void {
    const { ratePerSecond, burst } = this.policy;
    const available = Math.min(burst, this.#left + ((nowMs - this.#untilMs + leaseMs) * ratePerSecond) / 1000);
    this.#tokens = Math.max(0, Math.floor(Math.min(this.#creditTokens, available)));
    if (this.#tokens === 0) return;
    this.#left = available - this.#tokens;
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  #take(): Spent {
    this.#tokens--;
    if (this.#untilMs === Number.POSITIVE_INFINITY) this.#owed++;
    return { kind: 'spent', policy: this.policy, left: Math.max(0, Math.floor(this.#left + this.#tokens)) };
  }

  #exceeded(waitMs: number): Spent {
    return { kind: 'exceeded', policy: this.policy, waitMs };
  }

  async #spendLeased(): Promise<Spent> {
    this.#waiting++;
    try {
      for (;;) {
        this.#asking ??= this.#ask();
        await this.#asking;
        if (this.#tokens >= 1) return this.#take();
        const waitMs = this.#emptyUntilMs - this.#source.monotonicMs();
        if (waitMs > 0) return this.#exceeded(waitMs);
      }
    } finally {
      this.#waiting--;
    }
  }

  async #ask(): Promise<void> {
    const { ratePerSecond, burst } = this.policy;
    const wanted = Math.max(1, Math.floor(ratePerSecond * quantumSeconds), this.#waiting);
    const spent = this.#owed;
    this.#owed = 0;
    const lease = { name: this.#key, ratePerSecond, burst, wanted, spent, nowMs: this.#source.wallMs() };
    // A store that cannot lease refuses what has to be durable by itself: nobody is refused for it here.
    const { granted, left } = await this.#source.leaseQuota(lease).catch(() => ({ granted: wanted, left: 0 }));
    const nowMs = this.#source.monotonicMs();
    this.#tokens = granted;
    this.#left = left;
    this.#untilMs = nowMs + leaseMs;
    this.#emptyUntilMs = granted > 0 ? 0 : nowMs + Math.min(waitMsMax, Math.max(askAgainMsMin, ((1 - left) * 1000) / ratePerSecond));
    this.#asking = undefined;
  }
}

const fillSeconds = ({ burst, ratePerSecond }: Policy): number => Math.max(1, Math.min(waitMsMax / 1000, Math.ceil(burst / ratePerSecond)));
/** draft-ietf-httpapi-ratelimit-headers-10: q is the burst, w the seconds in which an empty bucket is full again. */
export const policyText = (policy: Policy): string => `"${policy.name}";q=${Math.floor(policy.burst)};w=${fillSeconds(policy)}`;
/** r: what is left; t: seconds until there is more, or until it is full again. */
export const limitText = (spent: Spent): string =>
  spent.kind === 'spent'
    ? `"${spent.policy.name}";r=${spent.left};t=${fillSeconds(spent.policy)}`
    : `"${spent.policy.name}";r=0;t=${Math.max(1, Math.ceil(spent.waitMs / 1000))}`;
