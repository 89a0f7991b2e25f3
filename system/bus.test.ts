import { expect, test } from 'vitest';
import { createBus, type News } from './bus.ts';

const devices = [
  { account: 'a', device: 'd1' },
  { account: 'b', device: 'd2' },
];

test('others are told of all devices until it is known who watches which account, and then of those', () => {
  const told: News[] = [];
  const bus = createBus({ news: (news) => void told.push(news), watch: async () => undefined });
  bus.receiveWatch(2, ['a']);
  bus.tellDevices(devices);
  bus.receiveWatches([[3, []]]);
  bus.tellDevices(devices);
  bus.receiveWatch(2, []);
  bus.tellDevices(devices);
  expect(told).toEqual([
    { kind: 'devices', devices },
    { kind: 'devices', devices: devices.slice(0, 1) },
  ]);
});

test('this process hears of the accounts that it watches', async () => {
  const heard: News[] = [];
  const bus = createBus();
  bus.onNews((news) => void heard.push(news));
  bus.tellDevices(devices);
  await bus.watch(['b']);
  bus.tellDevices(devices);
  expect(heard).toEqual([{ kind: 'devices', devices: devices.slice(1) }]);
});
