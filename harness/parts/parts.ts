import { join } from 'node:path';
import type { ManagerName } from './managers.ts';

export type Part = {
  readonly name: string;
  readonly purpose: string;
  /** Only `npm run test:long` needs it: it takes minutes to build, and comes with --all or by its name. */
  readonly isForLong?: true;
  /** On disk, with what it brings along; and on two slow cores with a mirror near by, from nothing. Sizes, not claims: a machine may take four times as long. */
  readonly costs: { readonly megabytes: number; readonly minutes: number };
  /** An environment variable that names the program outright. */
  readonly variable: string;
  /** Names it goes by on PATH, or absolute paths; the first that is there is taken. */
  readonly commands: readonly string[];
  /** What each manager is asked for. A manager without an entry does not have the part. */
  readonly packages: Readonly<Partial<Record<ManagerName, readonly string[]>>>;
  /** Built by the Go toolchain from a pinned module, `go/<module>/`, where no manager has it in one version everywhere. */
  readonly go?: { readonly module: string; readonly package: string };
};

/** Where parts that are built here go: beside the packages, and never in the repository. */
export const builtPath = (name: string): string => join(import.meta.dirname, '..', '..', '.parts', name);

/** One package has both programs. */
const prometheusPackages = {
  'apt-get': ['prometheus'],
  dnf: ['golang-github-prometheus'],
  apk: ['prometheus'],
  pacman: ['prometheus'],
  brew: ['prometheus'],
} as const;

export const parts = [
  {
    name: 'chromium',
    purpose: 'opens the report page in tests',
    costs: { megabytes: 360, minutes: 1 },
    variable: 'HEADROOM_CHROMIUM',
    commands: ['chromium', 'chromium-browser', 'google-chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'],
    packages: { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'], pacman: ['chromium'], brew: ['--cask', 'chromium'] },
  },
  {
    name: 'haproxy',
    purpose: 'stands before the service in tests and runs with a real balancer',
    costs: { megabytes: 5, minutes: 0.2 },
    variable: 'HEADROOM_HAPROXY',
    // Debian puts it where an ordinary user's PATH may not lead.
    commands: ['haproxy', '/usr/sbin/haproxy'],
    packages: { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], pacman: ['haproxy'], brew: ['haproxy'] },
  },
  {
    name: 'k6',
    purpose: 'drives requests with --engine k6',
    isForLong: true,
    costs: { megabytes: 62, minutes: 1.5 },
    variable: 'HEADROOM_K6',
    commands: [builtPath('k6'), 'k6'],
    packages: {},
    go: { module: 'k6', package: 'go.k6.io/k6/v2' },
  },
  {
    name: 'kubeconform',
    purpose: 'checks exported manifests in tests',
    isForLong: true,
    costs: { megabytes: 14, minutes: 0.5 },
    variable: 'HEADROOM_KUBECONFORM',
    commands: [builtPath('kubeconform'), 'kubeconform'],
    packages: {},
    go: { module: 'kubeconform', package: 'github.com/yannh/kubeconform/cmd/kubeconform' },
  },
  {
    name: 'nginx',
    purpose: 'stands before the service in tests as it comes and as it is tuned',
    costs: { megabytes: 5, minutes: 0.2 },
    variable: 'HEADROOM_NGINX',
    commands: ['nginx', '/usr/sbin/nginx'],
    packages: { 'apt-get': ['nginx-light'], dnf: ['nginx'], apk: ['nginx'], pacman: ['nginx'], brew: ['nginx'] },
  },
  {
    name: 'prometheus',
    purpose: 'scrapes the service and runs our rules in tests',
    costs: { megabytes: 94, minutes: 0.5 },
    variable: 'HEADROOM_PROMETHEUS',
    commands: ['prometheus'],
    packages: prometheusPackages,
  },
  {
    name: 'promtool',
    purpose: 'checks and tries our rules in tests',
    costs: { megabytes: 94, minutes: 0.5 },
    variable: 'HEADROOM_PROMTOOL',
    commands: ['promtool'],
    packages: prometheusPackages,
  },
  {
    name: 'versitygw',
    purpose: 'is the S3 store that tests archive into',
    isForLong: true,
    costs: { megabytes: 80, minutes: 2 },
    variable: 'HEADROOM_VERSITYGW',
    commands: [builtPath('versitygw'), 'versitygw'],
    packages: {},
    go: { module: 'versitygw', package: 'github.com/versity/versitygw/cmd/versitygw' },
  },
] as const satisfies readonly Part[];

export type PartName = (typeof parts)[number]['name'];
