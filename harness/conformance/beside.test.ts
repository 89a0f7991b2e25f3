import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { beside } from './beside.ts';
import type { Answer, Client } from './client.ts';
import type { OwnService, RuleContext } from './rule.ts';
import { pipelineRules } from './rules-pipeline.ts';

test('the loop goes on until the work is done, and the work’s value comes back', async () => {
  let rounds = 0;
  const loop = async (isOver: () => boolean): Promise<void> => {
    for (; !isOver(); rounds++) await Promise.resolve();
  };
  const work = async (): Promise<string> => {
    while (rounds < 5) await Promise.resolve();
    return 'done';
  };
  expect(await beside(loop, work)).toBe('done');
  const ended = rounds;
  await Promise.resolve();
  expect(rounds).toBe(ended);
});

test('a loop that fails first waits for the work, and is said then', async () => {
  let isDone = false;
  const work = async (): Promise<void> => {
    await sleep(5);
    isDone = true;
  };
  await expect(beside(() => Promise.reject(new Error('loop')), work)).rejects.toThrow('loop');
  expect(isDone).toBe(true);
});

test('work that fails ends the loop', async () => {
  let isEnded = false;
  const loop = async (isOver: () => boolean): Promise<void> => {
    while (!isOver()) await Promise.resolve();
    isEnded = true;
  };
  await expect(beside(loop, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
  expect(isEnded).toBe(true);
});

const answer = (status: number, json: Record<string, unknown>): Answer => ({ status, json, header: () => undefined, text: JSON.stringify(json) });

/** A service of plain functions, whose answers the test decides. */
function contextOf(client: Partial<Client>, service?: Partial<OwnService>): RuleContext {
  return {
    client: { device: async () => 'Bearer x', ...client } as Client,
    account: { account_id: 'a', secret: 's', publishable_key: 'p' },
    stranger: undefined,
    service: service as OwnService | undefined,
    boundMs: (stated) => stated,
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

test('R37 leaves no sender behind where the restart fails', async () => {
  let sends = 0;
  const context = contextOf(
    {
      send: async () => {
        sends++;
        await sleep(5);
        return answer(202, { accepted: 1 });
      },
      call: async () => ({ ...answer(200, {}), text: '' }),
    },
    { killAndRestart: () => Promise.reject(new Error('it did not come up')) },
  );
  await expect(check('R37', context)).rejects.toThrow('it did not come up');
  const ended = sends;
  await sleep(30);
  expect(sends).toBe(ended);
});
