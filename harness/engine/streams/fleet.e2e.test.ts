import { expect, test } from 'vitest';
import { startFleet } from './fleet.ts';

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('where one holder is dead the others are ended all the same, and it is told of', async () => {
  const fleet = await startFleet(
    {
      processes: 2,
      originNs: String(process.hrtime.bigint()),
      run: 'fleet0000000',
      seed: 1,
      population: { accounts: 1, devices: 1, users: 1 },
      scale: 1,
      targets: [{ host: '127.0.0.1', port: 1, pathPrefix: '' }],
      readers: [],
      credential: 'device',
      authorizations: [],
      watchers: [],
      wire: 'net',
    },
    { onDelta: () => {}, onPresence: () => {} },
  );
  try {
    process.kill(fleet.pids[0] as number, 'SIGKILL');
    await fleet.finish();
    expect(fleet.pids.filter(isThere)).toEqual([]);
    expect(fleet.trouble()).toContain('ended by itself');
  } finally {
    fleet.kill();
  }
});
