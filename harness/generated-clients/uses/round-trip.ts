/** What every generated client has to do with a service: register, send, read back, write an item, read its changes and the limits. */
export type RoundTripInput = {
  readonly baseUrl: string;
  readonly account: { readonly account_id: string; readonly secret: string; readonly publishable_key: string };
  /** A new one, and the user's name. */
  readonly device: string;
  readonly event: { id: string; type: 'activity'; recorded_at: string; data: { value: string } };
  /** Asks until there is an answer. */
  readonly until: <T>(ask: () => Promise<T | undefined>) => Promise<T>;
};

export type RoundTripSeen = {
  readonly accepted: number | undefined;
  readonly eventId: string | undefined;
  readonly itemData: unknown;
  readonly version: number | undefined;
  /** Of an item that the client has already. */
  readonly unchangedStatus: number | undefined;
  /** Lines of a long poll. */
  readonly frames: string;
  readonly durability: string | undefined;
  /** Of a device that nobody has registered. */
  readonly problemCode: string | undefined;
};

export type RoundTrip = (input: RoundTripInput) => Promise<RoundTripSeen>;
