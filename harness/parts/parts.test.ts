import { describe, expect, test } from 'vitest';
import { adviceFor, findPart, requirePart } from './find.ts';
import { installParts, listParts, wantedParts } from './install.ts';
import { type Command, managers } from './managers.ts';
import { type Part, parts } from './parts.ts';
import type { Surroundings } from './surroundings.ts';

const part: Part = {
  name: 'lamp',
  purpose: 'gives light',
  costs: { megabytes: 12, minutes: 0.5 },
  variable: 'HEADROOM_LAMP',
  commands: ['lamp', 'lantern'],
  packages: { 'apt-get': ['lamp-bin'], dnf: ['lamp'], apk: ['lamp'], brew: ['--cask', 'lamp'] },
};

type Machine = Surroundings & { readonly ran: string[]; readonly said: string[]; readonly programs: Set<string> };

/** A machine with these programs on PATH, whose commands exit as `exitOf` says; 0 from an install puts the lamp there. */
function machineWith(programs: readonly string[], options: Partial<Surroundings> & { exitOf?: (command: Command, earlier: string[]) => number } = {}): Machine {
  const ran: string[] = [];
  const said: string[] = [];
  const there = new Set(programs);
  const { exitOf = () => 0, ...rest } = options;
  return {
    variable: () => undefined,
    locate: (command) => (there.has(command) ? `/bin/${command}` : undefined),
    isRoot: true,
    isInteractive: false,
    run: async (command) => {
      const code = exitOf(command, [...ran]);
      ran.push(command.join(' '));
      if (code === 0 && command.some((word) => word === 'install' || word === 'add')) there.add('lamp');
      return code;
    },
    say: (line) => void said.push(line),
    ran,
    said,
    programs: there,
    ...rest,
  };
}

const aptInstall = 'env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends lamp-bin';
const aptUpdate = 'env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 update';
const aptKnows = 'apt-cache show --quiet lamp-bin';

describe('looking', () => {
  test('takes the first name that is on PATH', () => {
    expect(findPart(part, machineWith(['lantern']))).toEqual({ kind: 'found', path: '/bin/lantern' });
    expect(findPart(part, machineWith(['lantern', 'lamp']))).toEqual({ kind: 'found', path: '/bin/lamp' });
    expect(findPart(part, machineWith([]))).toEqual({ kind: 'missing' });
  });

  test('the variable wins, and one that names nothing is an error although the part is on PATH', async () => {
    const variable = (value: string) => ({ variable: (name: string) => (name === 'HEADROOM_LAMP' ? value : undefined) });
    expect(findPart(part, machineWith(['lamp', 'torch'], variable('torch')))).toEqual({ kind: 'found', path: '/bin/torch' });
    const misnamed = machineWith(['lamp', 'apt-get'], variable('tirch'));
    expect(await installParts([part], misnamed)).toBe(1);
    expect(misnamed.ran).toEqual([]);
    expect(misnamed.said).toEqual(['HEADROOM_LAMP is "tirch", and there is no such program: correct it or unset it.']);
  });

  test('--list says what is there, what is missing and how to install it, and runs nothing', () => {
    const machine = machineWith(['apt-get']);
    listParts([part], machine);
    machine.programs.add('lamp');
    listParts([part], machine);
    expect(machine.said).toEqual([
      `lamp: missing (gives light; about 12 MB, 30 s); install it with: npm run parts (which runs: ${aptInstall})`,
      'lamp: /bin/lamp (gives light; about 12 MB, 30 s)',
    ]);
    expect(machine.ran).toEqual([]);
  });

  test('requirePart gives the path, or throws with the command that installs the part', () => {
    expect(requirePart('chromium', machineWith(['google-chrome']))).toBe('/bin/google-chrome');
    expect(() => requirePart('chromium', machineWith(['apk']))).toThrow(/chromium is missing.*npm run parts.*apk add chromium/);
  });
});

describe('installing', () => {
  test('a part that is there is left alone', async () => {
    const machine = machineWith(['apt-get', 'lamp']);
    expect(await installParts([part], machine)).toBe(0);
    expect(machine.ran).toEqual([]);
  });

  test('says each command before it runs it', async () => {
    const machine = machineWith(['apt-get'], { exitOf: () => 0 });
    expect(await installParts([part], machine)).toBe(0);
    expect(machine.ran).toEqual([aptKnows, aptInstall]);
    expect(machine.said).toEqual([
      'lamp: missing (gives light); installing it, 1 of 1: about 12 MB, 30 s',
      `$ ${aptInstall}`,
      'lamp: /bin/lamp (gives light; about 12 MB, 30 s)',
    ]);
  });

  test('with empty package lists it refreshes first', async () => {
    const machine = machineWith(['apt-get'], { exitOf: ([program]) => (program === 'apt-cache' ? 100 : 0) });
    expect(await installParts([part], machine)).toBe(0);
    expect(machine.ran).toEqual([aptKnows, aptUpdate, aptInstall]);
  });

  test('with stale package lists it refreshes and tries once more', async () => {
    const exitOf = (command: Command, earlier: string[]) => (command.includes('install') && !earlier.includes(aptUpdate) ? 100 : 0);
    const machine = machineWith(['apt-get'], { exitOf });
    expect(await installParts([part], machine)).toBe(0);
    expect(machine.ran).toEqual([aptKnows, aptInstall, aptUpdate, aptInstall]);
  });

  test('an install that fails is exit code 1 and is said, not tried for ever', async () => {
    const machine = machineWith(['apt-get'], { exitOf: (command) => (command.includes('install') ? 100 : 0) });
    expect(await installParts([part], machine)).toBe(1);
    expect(machine.ran.filter((command) => command === aptInstall)).toHaveLength(2);
    expect(machine.said.at(-1)).toContain('could not be installed');
  });

  test('an install that brings none of the names is exit code 1', async () => {
    const machine = machineWith(['apt-get'], { run: async () => 0 });
    expect(await installParts([part], machine)).toBe(1);
    expect(machine.said.at(-1)).toContain('installed under none of the names lamp, lantern');
  });

  test('without root it uses sudo, which may ask only where somebody can answer; without sudo it says what root would run', async () => {
    const quiet = machineWith(['apt-get', 'sudo'], { isRoot: false });
    await installParts([part], quiet);
    expect(quiet.ran).toEqual([aptKnows, `sudo -n ${aptInstall}`]);
    const interactive = machineWith(['apt-get', 'sudo'], { isRoot: false, isInteractive: true });
    await installParts([part], interactive);
    expect(interactive.ran).toEqual([aptKnows, `sudo ${aptInstall}`]);
    const bare = machineWith(['apt-get'], { isRoot: false });
    expect(await installParts([part], bare)).toBe(1);
    expect(bare.ran).toEqual([]);
    expect(bare.said).toEqual([`Without root and without sudo nothing can be installed; as root: ${aptInstall}`]);
  });

  test('a system without a known manager, or a manager without the part, is a sentence and exit code 1', async () => {
    const unknown = machineWith([]);
    expect(await installParts([part], unknown)).toBe(1);
    expect(unknown.said[0]).toContain('This system has none of apt-get, dnf, apk, pacman, brew');
    const pacman = machineWith(['pacman']);
    expect(await installParts([part], pacman)).toBe(1);
    expect(pacman.said[0]).toContain('pacman has no package of lamp');
  });

  test('one part that fails does not keep the next from being installed', async () => {
    const other: Part = { ...part, name: 'stove', commands: ['stove'], packages: {} };
    const machine = machineWith(['apt-get']);
    expect(await installParts([other, part], machine)).toBe(1);
    expect(machine.said.at(-1)).toBe('lamp: /bin/lamp (gives light; about 12 MB, 30 s)');
  });

  test('brew needs no root', async () => {
    const machine = machineWith(['brew'], { isRoot: false });
    expect(await installParts([part], machine)).toBe(0);
    expect(machine.ran).toEqual(['brew install --cask lamp']);
  });
});

describe('a part that is built', () => {
  const built: Part = { ...part, go: { module: 'lamp', package: 'example.test/lamp' }, packages: {} };

  test('is built by the one command that was printed', async () => {
    const ran: string[] = [];
    const machine: Machine = machineWith(['go'], {
      run: async (command) => {
        ran.push(command.join(' '));
        machine.programs.add('lamp');
        return 0;
      },
    });
    expect(await installParts([built], machine)).toBe(0);
    expect(ran).toHaveLength(1);
    expect(ran[0]).toMatch(/^go build -C .*lamp -trimpath -o .*lamp example\.test\/lamp$/);
    expect(machine.said).toContain(`$ ${ran[0]}`);
    expect(adviceFor(built, { kind: 'missing' }, machine)).toBe(`install it with: npm run parts -- lamp (which runs: ${ran[0]}), or put lamp on PATH`);
  });

  test('without Go it is a sentence that says both ways, and nothing is run', async () => {
    const machine = machineWith(['apt-get']);
    expect(await installParts([built], machine)).toBe(1);
    expect(machine.ran).toEqual([]);
    expect(machine.said[0]).toContain('install Go 1.26 and run npm run parts, or put lamp itself on PATH');
  });

  test('a build that fails is exit code 1', async () => {
    const machine = machineWith(['go'], { exitOf: () => 1 });
    expect(await installParts([built], machine)).toBe(1);
    expect(machine.ran).toHaveLength(1);
    expect(machine.said.at(-1)).toContain('could not be installed');
  });
});

test('without more those that npm test needs are wanted, and nothing of those is built', () => {
  const namesOf = (asked: Parameters<typeof wantedParts>[1]): readonly string[] => wantedParts(parts, asked).map(({ name }) => name);
  expect(namesOf({ names: [], all: false })).toEqual(['chromium', 'haproxy', 'nginx', 'prometheus', 'promtool']);
  expect(wantedParts(parts, { names: [], all: false }).every(({ go }) => go === undefined)).toBe(true);
  expect(namesOf({ names: [], all: true })).toEqual(parts.map(({ name }) => name));
  expect(namesOf({ names: ['k6'], all: false })).toEqual(['k6']);
});

test('every part has its own variable, and a package in every manager or a sentence', () => {
  const rows: readonly Part[] = parts;
  expect(new Set(rows.map(({ variable }) => variable)).size).toBe(rows.length);
  for (const row of rows) {
    for (const manager of managers) {
      const advice = adviceFor(row, { kind: 'missing' }, machineWith([manager.name]));
      expect(advice).toMatch(row.go === undefined ? (row.packages[manager.name] ? /npm run parts/ : /install it yourself/) : /install Go .* or put .* on PATH/);
    }
  }
});
