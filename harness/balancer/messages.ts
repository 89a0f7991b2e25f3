/** What the balancer's process and whoever started it say to each other over IPC. */
import type { ModelChoice } from './choice.ts';
import type { BalancerCounts, TargetAddress } from './relaying.ts';

export type BalancerProcessOptions = {
  readonly choice: ModelChoice;
  readonly targets: readonly TargetAddress[];
  /** 20: a minute passes in three seconds. */
  readonly scale: number;
  /** A free one of the kernel's choice without it. */
  readonly port?: number;
  /** One line of JSON a connection, or an exchange. */
  readonly logFile: string;
};

export type BalancerReport = Readonly<BalancerCounts> & { readonly units?: number };

export type BalancerCommand =
  | { readonly kind: 'set-targets'; readonly targets: readonly TargetAddress[] }
  | { readonly kind: 'drain'; readonly target: TargetAddress; readonly delayMs: number }
  | { readonly kind: 'drop-all'; readonly how: 'fin' | 'rst' }
  | { readonly kind: 'counts' };

export type ToBalancer = { readonly id: number; readonly command: BalancerCommand };
/** Each command is answered with the counts as they are once it was carried out. */
export type FromBalancer =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'done'; readonly id: number; readonly report: BalancerReport };
