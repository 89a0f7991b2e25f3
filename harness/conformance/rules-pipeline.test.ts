/** The checks themselves, against plain functions that answer: what a service would have to do for them to go wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { metricNames } from '#system/protocol/metric-names.ts';
import type { Answer, Client } from './client.ts';
import type { OwnService, RuleContext } from './rule.ts';
import { quietRuler } from './ruler.ts';
import { pipelineRules } from './rules-pipeline.ts';
import { timingOf } from './timing.ts';

const answer = (status: number, json: Record<string, unknown>): Answer => ({ status, json, header: () => undefined, text: JSON.stringify(json) });

function contextOf(client: Partial<Client>, service?: Partial<OwnService>): RuleContext {
  return {
    client: { device: async () => 'Bearer x', ...client } as Client,
    account: { account_id: 'a', secret: 's', publishable_key: 'p' },
    stranger: undefined,
    service: service as OwnService | undefined,
    ...timingOf(quietRuler, { sinceMs: 0, strict: true }),
    name: (what) => what,
  };
}
const check = (id: string, context: RuleContext): Promise<void> | undefined => pipelineRules.find((rule) => rule.id === id)?.check(context);

/** What Node would have ended the run for. */
async function unheardOf(run: () => Promise<unknown>): Promise<readonly unknown[]> {
  const others = process.listeners('unhandledRejection');
  const unheard: unknown[] = [];
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', (reason) => unheard.push(reason));
  try {
    await run();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  return unheard;
}

test('R40 is broken, and no more, where the writer beside the reading is refused', async () => {
  const context = contextOf({
    send: async (_, events) => ((events as unknown[]).length > 1 ? answer(202, { accepted: 120 }) : answer(500, {})),
    call: async () => {
      await sleep(20);
      return answer(200, { events: [] });
    },
  });
  const unheard = await unheardOf(() => expect(check('R40', context)).rejects.toThrow());
  expect(unheard).toEqual([]);
});

type Sent = { readonly id: string; readonly data: { readonly lat: number } };

/** Steps over events at once, beside `pendingBefore` of somebody else's, which are kept at the second scrape. */
function steppingService({ pendingBefore }: { readonly pendingBefore: number }): Pick<Client, 'send' | 'call'> {
  const lines: { id: string; disposition: string }[] = [];
  let scrapes = 0;
  const countOf = (disposition: string): number => lines.filter((line) => line.disposition === disposition).length;
  const metrics = (): string => {
    const old = scrapes++ > 0 ? 'kept' : 'pending';
    const kept = countOf('kept') + (old === 'kept' ? pendingBefore : 0);
    return [
      `${metricNames.eventsAccepted} ${lines.length + pendingBefore}`,
      `${metricNames.eventsPending} ${old === 'pending' ? pendingBefore : 0}`,
      `${metricNames.eventsKept} ${kept}`,
      `${metricNames.eventsFiltered} ${countOf('filtered:zero')}`,
    ].join('\n');
  };
  return {
    send: async (_, events) => {
      for (const { id, data } of events as readonly Sent[]) lines.push({ id, disposition: data.lat === 0 ? 'filtered:zero' : 'kept' });
      await sleep(5);
      return answer(202, { accepted: 1 });
    },
    call: async (_, path) => {
      const text = path === '/metrics' ? metrics() : path.includes('after') ? '' : lines.map((line) => JSON.stringify(line)).join('\n');
      return { status: 200, text, json: undefined, header: () => 'c1' };
    },
  };
}

test('R37 does not count as its own what was still pending before it', async () => {
  const service = { killAndRestart: async () => undefined, withService: async () => undefined };
  await check('R37', contextOf(steppingService({ pendingBefore: 67 }), service));
});

test('R37 leaves no sender behind where the restart fails', async () => {
  let sends = 0;
  const stepping = steppingService({ pendingBefore: 0 });
  const send: Client['send'] = (...sent) => {
    sends++;
    return stepping.send(...sent);
  };
  const service = { killAndRestart: () => Promise.reject(new Error('it did not come up')) };
  await expect(check('R37', contextOf({ ...stepping, send }, service))).rejects.toThrow('it did not come up');
  const ended = sends;
  await sleep(30);
  expect(sends).toBe(ended);
});
