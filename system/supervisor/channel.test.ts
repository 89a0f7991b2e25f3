import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';
import { createChannel } from './channel.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';
import type { RunningWorker } from './worker.ts';

function start() {
  const worker = new EventEmitter();
  const said: ToSupervisor[] = [];
  const send = (message: ToSupervisor): boolean => said.push(message) > 0;
  const channel = createChannel(Object.assign(worker, { send }) as unknown as NodeJS.Process);
  return { channel, said, tell: (message: ToWorker) => worker.emit('message', message) };
}

test('what a worker asks before it serves is answered', async () => {
  const { channel, said, tell } = start();
  const watching = channel.watch(['a']);
  expect(said).toEqual([{ kind: 'watch', id: 0, accounts: ['a'] }]);
  tell({ kind: 'drain' });
  tell({ kind: 'watched', id: 0 });
  await watching;
});

test('who is told of a watch says that it knows, and only where it was asked', () => {
  const { channel, said, tell } = start();
  const hearWatch = vi.fn();
  channel.serve({ hearWatch } as unknown as RunningWorker, () => undefined);
  tell({ kind: 'watch', worker: 3, id: 5, accounts: ['a'] });
  tell({ kind: 'watch', worker: 3, id: undefined, accounts: [] });
  expect(hearWatch.mock.calls).toEqual([
    [3, ['a']],
    [3, []],
  ]);
  expect(said).toEqual([{ kind: 'watch-known', of: 3, id: 5 }]);
});
