/** Device and user tokens: JWT, HS256 only. */
import { createSigner, createVerifier } from 'fast-jwt';
import type { Clock } from '#system/clock.ts';

export type Principal =
  | {
      readonly kind: 'device';
      readonly account: string;
      readonly device: string;
      readonly user: string | undefined;
      readonly generation: number;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'user'; readonly account: string; readonly user: string; readonly scopes: readonly string[]; readonly expiresAtMs: number };

export type Tokens = {
  readonly signDevice: (claims: {
    readonly account: string;
    readonly device: string;
    readonly user: string | undefined;
    readonly generation: number;
    readonly expiresInSeconds: number;
  }) => string;
  readonly signUser: (claims: {
    readonly account: string;
    readonly user: string;
    readonly scopes: readonly string[];
    readonly expiresInSeconds: number;
  }) => string;
  /** `token` as it came, without `Bearer `; undefined for whatever is wrong with it. */
  readonly verify: (token: string) => Principal | undefined;
};

const cachedTokensMax = 100_000;

export function createTokens({ key, clock }: { readonly key: string; readonly clock: Clock }): Tokens {
  const sign = createSigner({ key, algorithm: 'HS256', noTimestamp: true });
  const verifyJwt = createVerifier({ key, algorithms: ['HS256'], cache: false, clockTimestamp: 0, ignoreExpiration: true });
  const cache = new Map<string, { readonly principal: Principal; readonly expiresAtMs: number }>();
  const nowSeconds = () => Math.floor(clock.wallMs() / 1000);
  return {
    signDevice: ({ account, device, user, generation, expiresInSeconds }) =>
      sign({ acc: account, sub: device, ...(user === undefined ? {} : { usr: user }), gen: generation, exp: nowSeconds() + expiresInSeconds }),
    signUser: ({ account, user, scopes, expiresInSeconds }) => sign({ acc: account, usr: user, scp: scopes, exp: nowSeconds() + expiresInSeconds }),
    verify: (token) => {
      let known = cache.get(token);
      if (known === undefined) {
        known = decode(token, verifyJwt);
        if (known === undefined) return undefined;
        if (cache.size >= cachedTokensMax) cache.clear();
        cache.set(token, known);
      }
      return clock.wallMs() < known.expiresAtMs ? known.principal : undefined;
    },
  };
}

function decode(token: string, verifyJwt: (token: string) => unknown): { principal: Principal; expiresAtMs: number } | undefined {
  let claims: Record<string, unknown>;
  try {
    claims = verifyJwt(token) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { acc, sub, usr, gen, scp, exp } = claims;
  if (typeof acc !== 'string' || typeof exp !== 'number') return undefined;
  const expiresAtMs = exp * 1000;
  if (typeof sub === 'string' && typeof gen === 'number') {
    return {
      principal: { kind: 'device', account: acc, device: sub, user: typeof usr === 'string' ? usr : undefined, generation: gen, expiresAtMs },
      expiresAtMs,
    };
  }
  if (typeof usr === 'string' && Array.isArray(scp))
    return { principal: { kind: 'user', account: acc, user: usr, scopes: scp.map(String), expiresAtMs }, expiresAtMs };
  return undefined;
}
