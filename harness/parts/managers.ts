/** Package managers as data: how each is asked to install, whether it wants root, and how it refreshes what it knows. */

export type Command = readonly [program: string, ...args: string[]];
export type ManagerName = 'apt-get' | 'dnf' | 'apk' | 'pacman' | 'brew';

export type Manager = {
  readonly name: ManagerName;
  readonly needsRoot: boolean;
  readonly install: (packages: readonly string[]) => Command;
  readonly refresh: Command | null;
  /** Exits with 0 when the manager's lists know the packages; null: no way to ask, or no need. */
  readonly knows: ((packages: readonly string[]) => Command) | null;
};

/** `env` carries the setting through `sudo`, which drops the environment; the lock timeout waits for another install to end. */
const apt = (...args: string[]): Command => ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args];

/** In order of preference; brew last, because on Linux it may stand beside the system's own. */
export const managers: readonly Manager[] = [
  {
    name: 'apt-get',
    needsRoot: true,
    install: (packages) => apt('install', '-y', '--no-install-recommends', ...packages),
    refresh: apt('update'),
    knows: (packages) => ['apt-cache', 'show', '--quiet', ...packages],
  },
  { name: 'dnf', needsRoot: true, install: (packages) => ['dnf', 'install', '-y', ...packages], refresh: null, knows: null },
  { name: 'apk', needsRoot: true, install: (packages) => ['apk', 'add', ...packages], refresh: ['apk', 'update'], knows: null },
  {
    name: 'pacman',
    needsRoot: true,
    install: (packages) => ['pacman', '-S', '--noconfirm', '--needed', ...packages],
    refresh: ['pacman', '-Sy'],
    knows: null,
  },
  { name: 'brew', needsRoot: false, install: (packages) => ['brew', 'install', ...packages], refresh: ['brew', 'update'], knows: null },
];

export const managerNames = managers.map(({ name }) => name);
