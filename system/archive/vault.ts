/** Where objects are put whole or not at all. A key is a path with slashes. */
export type Vault = {
  /** Durable when it resolves. Replaces what was there. */
  readonly put: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly get: (key: string) => Promise<Uint8Array | undefined>;
  readonly close: () => void;
};
