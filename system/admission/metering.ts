/** Which buckets a request spends from: its account's for the lane, and its device's. */
import type { LaneName } from './lanes.ts';
import { Bucket, type BucketSource, type Policy, policyText, type Spent } from './quotas.ts';

export type QuotaSettings = {
  /** Requests a second of each account that has no quota of its own; lanes that are missing are not metered. */
  readonly accountPerSecond: Readonly<Partial<Record<LaneName, number>>>;
  readonly deviceIngestPerSecond: number;
};

/** `policies` is the text of RateLimit-Policy; `tightest` what RateLimit tells. */
export type Metered = { readonly policies: string; readonly tightest: Spent };

export type Metering = {
  /** Undefined where nothing is metered. At once where the tokens are here. */
  readonly spend: (asked: { readonly lane: LaneName; readonly account: string; readonly device: string | undefined }) => undefined | Metered | Promise<Metered>;
};

export type MeteringOptions = {
  readonly source: BucketSource;
  readonly settings: QuotaSettings;
  /** An account's own quota of that name. */
  readonly quota: (account: string, name: string) => Promise<number | undefined>;
};

/** A bucket holds this many seconds of its rate, unless the account says `<lane>_burst`. */
export const burstSeconds = 2;
const creditSeconds = 0.1;
const accountsMax = 10_000;
const devicesMax = 50_000;

type Kind = {
  readonly name: string;
  readonly scope: 'account' | 'device';
  readonly perSecond: number;
  readonly buckets: Map<string, Bucket>;
  readonly max: number;
};

export function createMetering({ source, settings, quota }: MeteringOptions): Metering {
  const kinds = new Map<LaneName, Kind>(
    Object.entries(settings.accountPerSecond).map(([lane, perSecond]) => [
      lane as LaneName,
      { name: lane, scope: 'account', perSecond, buckets: new Map(), max: accountsMax },
    ]),
  );
  const deviceKind: Kind = { name: 'device_ingest', scope: 'device', perSecond: settings.deviceIngestPerSecond, buckets: new Map(), max: devicesMax };
  const open = async (kind: Kind, account: string, key: string): Promise<Bucket> => {
    const policy = await policyOf(kind, account, quota);
    const present = kind.buckets.get(key);
    if (present !== undefined) return present;
    // All at once rather than by age: what that forgets is a lease of a twentieth of a second.
    if (kind.buckets.size >= kind.max) kind.buckets.clear();
    const creditTokens = kind.scope === 'device' ? Math.floor(policy.ratePerSecond * creditSeconds) : 0;
    const bucket = new Bucket(source, { policy, key: `${kind.name}/${key}`, creditTokens });
    kind.buckets.set(key, bucket);
    return bucket;
  };
  const spendOf = (kind: Kind, account: string, key: string): Spent | Promise<Spent> => {
    const bucket = kind.buckets.get(key);
    return bucket === undefined ? open(kind, account, key).then((opened) => opened.spend()) : bucket.spend();
  };
  return {
    spend: ({ lane, account, device }) => {
      const kind = kinds.get(lane);
      if (kind === undefined) return undefined;
      const own = spendOf(kind, account, account);
      if (lane !== 'ingest' || device === undefined) return own instanceof Promise ? own.then((spent) => metered(spent)) : metered(own);
      const devices = spendOf(deviceKind, account, `${account}/${device}`);
      if (own instanceof Promise || devices instanceof Promise) return Promise.all([own, devices]).then(([a, b]) => metered(a, b));
      return metered(own, devices);
    },
  };
}

async function policyOf({ name, scope, perSecond }: Kind, account: string, quota: MeteringOptions['quota']): Promise<Policy> {
  const [ownRate, ownBurst] = await Promise.all([quota(account, `${name}_per_second`), quota(account, `${name}_burst`)]);
  const ratePerSecond = ownRate ?? perSecond;
  return { name: scope === 'device' ? 'device-ingest' : `account-${name}`, ratePerSecond, burst: ownBurst ?? Math.max(1, ratePerSecond * burstSeconds) };
}

const policyTexts = new WeakMap<Policy, string>();
function textOf(policy: Policy): string {
  const known = policyTexts.get(policy);
  if (known !== undefined) return known;
  const text = policyText(policy);
  policyTexts.set(policy, text);
  return text;
}

function metered(first: Spent, second?: Spent): Metered {
  if (second === undefined) return { policies: textOf(first.policy), tightest: first };
  return { policies: `${textOf(first.policy)}, ${textOf(second.policy)}`, tightest: isTighter(second, first) ? second : first };
}

/** Who is refused by both comes back when both let him. */
function isTighter(one: Spent, other: Spent): boolean {
  if (one.kind === 'exceeded') return other.kind === 'spent' || one.waitMs > other.waitMs;
  return other.kind === 'spent' && one.left / one.policy.burst < other.left / other.policy.burst;
}
