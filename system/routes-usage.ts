/** GET /v1/usage: what the account used, day by day. */
import type { FastifyInstance } from 'fastify';
import type { AppDeps } from './app.ts';
import { accountOf } from './exchange.ts';
import { Problem } from './protocol/errors.ts';
import { UsageAnswer, UsageQuery } from './protocol/schemas.ts';
import { type Day, dayOf, type UsageDay, usageDaysMax } from './store/store.ts';
import type { Metering } from './usage/metering.ts';
import { dateOf } from './usage/spikes.ts';

export type UsageDeps = AppDeps & { readonly metering: Metering };

export function usageRoutes(app: FastifyInstance, deps: UsageDeps): void {
  app.get(
    '/v1/usage',
    {
      config: { callers: ['account'], lane: 'read' },
      schema: { summary: 'What the account used, by UTC day', security: [{ basic: [] }], querystring: UsageQuery, response: { 200: UsageAnswer } },
    },
    async (request) => ({ days: await readUsageDays(deps, accountOf(request), request.query as UsageQuery) }),
  );
}

export type ShownUsage = UsageAnswer['days'][number];

/** Every day of the range, also those without any use. */
export async function readUsageDays({ store, clock, metering }: UsageDeps, account: string, query: UsageQuery): Promise<readonly ShownUsage[]> {
  const { from, to } = rangeOf(query, dayOf(clock.wallMs()));
  await metering.flush();
  const used = new Map((await store.readUsage({ account, from, to })).map((each) => [each.day, each]));
  return Array.from({ length: to - from + 1 }, (_, i) => shown(from + i, used.get(from + i)));
}

const shown = (day: Day, used: UsageDay | undefined): ShownUsage => ({
  date: dateOf(day),
  events: used?.events ?? 0,
  calls: used?.calls ?? 0,
  registrations: used?.registrations ?? 0,
  stream_minutes: Math.round((used?.streamMs ?? 0) / 60) / 1000,
  active_devices: used?.activeDevices ?? 0,
});

const daysByDefault = 30;

/** Days up to today without `to`; thirty of them without `from`. */
function rangeOf({ from, to }: UsageQuery, today: Day): { readonly from: Day; readonly to: Day } {
  const last = to === undefined ? today : readDate('to', to);
  const first = from === undefined ? last - daysByDefault + 1 : readDate('from', from);
  if (first > last) throw new Problem('bad-range', '"from" lies behind "to".');
  if (last - first >= usageDaysMax) throw new Problem('bad-range', `A range has at most ${usageDaysMax} days.`);
  return { from: first, to: last };
}

function readDate(name: string, text: string): Day {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(atMs) || atMs < 0 || dateOf(dayOf(atMs)) !== text) throw new Problem('bad-range', `"${name}" is not a date as 2026-11-25.`);
  return dayOf(atMs);
}
