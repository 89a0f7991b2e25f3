// What the runtime does with calls through ffi when a thread ends; seen red with signatures of three arguments, on each of eight tries.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('threads end while their calls are being compiled, and the process goes on', async () => {
  const ended = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('./threads-that-end.ts', import.meta.url))]).then(
    () => 'well',
    ({ code, signal }: { readonly code: unknown; readonly signal: unknown }) => `code ${code}, signal ${signal}`,
  );
  expect(ended).toBe('well');
});
