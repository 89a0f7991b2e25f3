/** What the balancer and its relays share. */
import type { Socket } from 'node:net';
import type { BalancerSettings } from './presets.ts';

export type TargetAddress = { readonly host: string; readonly port: number };
export type AccessLine = {
  readonly atMs: number;
  readonly client: string;
  readonly target: string | undefined;
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of an HTTP listener. */
  readonly request?: string;
  readonly status?: number;
  readonly ended: 'client' | 'target' | 'idle' | 'refused' | 'drained' | 'dropped' | 'answered' | 'unreachable';
};

export type BalancerCounts = { accepted: number; refused: number; delayed: number; expired: number; active: number };

/** A connection, or an exchange, that goes through. */
export type Passing = { readonly client: Socket; readonly target: TargetAddress; readonly drop: (how: 'fin' | 'rst', why: AccessLine['ended']) => void };

/** What relays share. */
export type Relaying = {
  readonly settings: BalancerSettings;
  readonly scale: number;
  /** Undefined: there is none. */
  readonly nextTarget: () => TargetAddress | undefined;
  readonly counts: BalancerCounts;
  readonly passing: Set<Passing>;
  readonly moved: (bytes: number) => void;
  readonly requested: () => void;
  readonly log: (line: AccessLine) => void;
};

export const nameOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;
