import { expect, test } from 'vitest';
import { readmeCommands, typed } from './readme-commands.ts';

test.each(readmeCommands.filter(({ isMeasured }) => isMeasured))('$command ends with one of $codes', ({ command, codes }) => {
  const { status, stderr } = typed(command);
  expect(codes, stderr.slice(-2000)).toContain(status);
});
