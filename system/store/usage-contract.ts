/** What every store must count of what an account used. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeviceRow, dayMs, type Store, usageDaysMax } from '#system/store/store.ts';

const day = 20_000;
const noon = day * dayMs + dayMs / 2;
const row = (version: number, change: Partial<DeviceRow> = {}): DeviceRow => ({
  version,
  secretDigest: 's',
  generation: 1,
  deleted: false,
  registeredAtMs: noon,
  changedAtMs: noon,
  attributes: {},
  ...change,
});

export function describeUsage(name: string, factory: () => Promise<Store>): void {
  describe(`usage: ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await factory();
    });
    afterEach(() => store.close());
    const send = (account: string, device: string, ids: readonly string[], receivedAtMs: number) =>
      store.append({ account, device, receivedAtMs, rejectedCount: 1, events: ids.map((id) => ({ id, bytes: Buffer.from('{}') })) });
    const read = (account: string, from = day - 1, to = day + 1) => store.readUsage({ account, from, to });

    it('counts events that were accepted and devices that sent one, on the day they came', async () => {
      const before = (day + 1) * dayMs - 1;
      await Promise.all([send('a', 'd1', ['1', '2', '2'], before), send('a', 'd2', ['1'], before), send('aa', 'd1', ['1'], before)]);
      await Promise.all([send('a', 'd1', ['1', '3'], before + 1), send('a', 'd2', ['1'], before + 1)]);
      await send('a', 'd1', ['4'], before + 2);
      const none = { registrations: 0, calls: 0, streamMs: 0 };
      expect(await read('a')).toEqual([
        { day, events: 3, activeDevices: 2, ...none },
        // d2 sent nothing that was new.
        { day: day + 1, events: 2, activeDevices: 1, ...none },
      ]);
      expect(await read('aa')).toEqual([{ day, events: 1, activeDevices: 1, ...none }]);
      expect(await read('a', day + 1, day + 1)).toHaveLength(1);
    });

    it('counts registrations that were stored, and neither conflicts nor deletions', async () => {
      const put = { account: 'a', device: 'd' };
      await Promise.all([store.putDevice({ ...put, expected: undefined, row: row(1) }), store.putDevice({ ...put, expected: undefined, row: row(1) })]);
      await store.putDevice({ ...put, expected: 1, row: row(2, { changedAtMs: noon + dayMs }) });
      await store.putDevice({ ...put, expected: 2, row: row(3, { deleted: true }) });
      expect((await read('a')).map(({ day: on, registrations }) => [on, registrations])).toEqual([
        [day, 1],
        [day + 1, 1],
      ]);
    });

    it('keeps each source’s total, however often it is written, and adds them up', async () => {
      const metered = { account: 'a', day, source: 'one', calls: 3, streamMs: 10 };
      await store.putMetered(metered);
      await store.putMetered({ ...metered, calls: 5, streamMs: 20 });
      await store.putMetered({ ...metered, calls: 5, streamMs: 20 });
      await store.putMetered({ ...metered, source: 'two', calls: 7, streamMs: 1 });
      expect(await read('a')).toEqual([{ day, events: 0, registrations: 0, activeDevices: 0, calls: 12, streamMs: 21 }]);
    });

    it('forgets what is older than it keeps', async () => {
      await send('a', 'd', ['old'], noon - usageDaysMax * dayMs);
      await send('a', 'd', ['kept'], noon - (usageDaysMax - 1) * dayMs);
      await send('a', 'd', ['new'], noon);
      expect((await read('a', 0, day)).map(({ day: on }) => on)).toEqual([day - usageDaysMax + 1, day]);
    });

    it('forgets it of an account that only calls, too', async () => {
      for (const on of [day - usageDaysMax, day - usageDaysMax + 1, day])
        await store.putMetered({ account: 'a', day: on, source: 'one', calls: 1, streamMs: 0 });
      expect((await read('a', 0, day)).map(({ day: on }) => on)).toEqual([day - usageDaysMax + 1, day]);
    });
  });
}
