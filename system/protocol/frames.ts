/** What a stream says, one frame a line; `c` is the cursor to resume from after this frame. */

export type PutFrame = {
  readonly t: 'put';
  readonly ch: string;
  readonly k: string;
  readonly ver?: number;
  readonly c?: string;
  readonly ts: string;
  readonly d: unknown;
};
export type DelFrame = { readonly t: 'del'; readonly ch: string; readonly k: string; readonly ver: number; readonly c: string; readonly ts: string };
export type HelloFrame = {
  readonly t: 'hello';
  readonly v: 1;
  readonly cid: string;
  /** Missing where the stream has no log channel. */
  readonly epoch?: string;
  readonly from?: string;
  readonly resumed: boolean;
  /** Milliseconds of silence after which a heartbeat comes. */
  readonly hb: number;
  /** Milliseconds until the stream ends by itself. */
  readonly age: number;
  readonly ack: string;
};
export type SyncFrame = { readonly t: 'sync'; readonly c?: string; readonly h: Readonly<Record<string, string>> };
/** `exp`: seconds until the token ends; missing where none does. */
export type HeartbeatFrame = { readonly t: 'hb'; readonly c?: string; readonly exp?: number };
export type ResetFrame = { readonly t: 'reset'; readonly ch: string; readonly reason: 'compacted' | 'epoch'; readonly snapshot: string };
export const byeCodes = ['drain', 'age', 'slow', 'token', 'kick', 'error'] as const;
export type ByeCode = (typeof byeCodes)[number];
export type ByeFrame = { readonly t: 'bye'; readonly code: ByeCode; readonly retry_ms: number; readonly c?: string };

export type Frame = PutFrame | DelFrame | HelloFrame | SyncFrame | HeartbeatFrame | ResetFrame | ByeFrame;
export type ChangeFrame = PutFrame | DelFrame;
