import { expect, test } from 'vitest';
import { findPart, installCommands, type Part, parts, requirePart, type Surroundings } from './parts.ts';

const [chromium] = parts as readonly [Part];
const machine = (paths: readonly string[], change: Partial<Surroundings> = {}): Surroundings => ({
  environment: { PATH: '/usr/bin:/bin' },
  exists: (path) => paths.includes(path),
  isRoot: true,
  ...change,
});

test('a part is found under any of its names, or where its variable points', () => {
  expect(findPart(chromium, machine(['/bin/chromium-browser']))).toBe('/bin/chromium-browser');
  expect(findPart(chromium, machine(['/opt/c', '/bin/chromium'], { environment: { PATH: '/bin', HEADROOM_CHROMIUM: '/opt/c' } }))).toBe('/opt/c');
  expect(findPart(chromium, machine([]))).toBeUndefined();
});

test('the install commands fit the machine, with sudo only where it is needed and there', () => {
  expect(installCommands([chromium], machine(['/usr/bin/apt-get']))).toEqual([
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
  ]);
  expect(installCommands([chromium], machine(['/usr/bin/dnf', '/usr/bin/sudo'], { isRoot: false }))).toEqual([['sudo', 'dnf', 'install', '-y', 'chromium']]);
  expect(installCommands([chromium], machine([]))).toBeUndefined();
});

test('a test whose part is missing is told how to get it', () => {
  expect(() => requirePart('chromium', machine([]))).toThrow('npm run parts');
});
