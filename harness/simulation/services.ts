// Models of services, as pure arithmetic: when each request is answered, by when it came and how much work it is.

/** In the order in which they come. Milliseconds of the service's own time: what is stolen from it does not pass. */
export type Visits = { readonly atMs: Float64Array; readonly workMs: Float64Array; readonly keys: Int32Array };
/** When each is answered. */
export type Service = (visits: Visits) => Float64Array;

const indexOfLeast = (values: Float64Array): number => {
  let least = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! < values[least]!) least = i;
  return least;
};

/** First come, first served, by so many servers. */
export const inOrder =
  (servers: number): Service =>
  ({ atMs, workMs }) => {
    const freeMs = new Float64Array(servers);
    return atMs.map((at, i) => {
      const server = indexOfLeast(freeMs);
      const overMs = Math.max(at, freeMs[server]!) + workMs[i]!;
      freeMs[server] = overMs;
      return overMs;
    });
  };

/** All that are there share one processor evenly: what each has been given since the beginning is the clock on which they end. */
export const processorSharing: Service = ({ atMs, workMs }) => {
  const overMs = new Float64Array(atMs.length);
  /** Those that are there, by how far the clock has to be: last is next. */
  const there: { readonly index: number; readonly endsAt: number }[] = [];
  let given = 0;
  let nowMs = 0;
  const runUntil = (untilMs: number): void => {
    for (let next = there.at(-1); next !== undefined; next = there.at(-1)) {
      const endMs = nowMs + (next.endsAt - given) * there.length;
      if (endMs > untilMs) break;
      nowMs = endMs;
      given = next.endsAt;
      overMs[next.index] = endMs;
      there.pop();
    }
    if (there.length > 0) given += (untilMs - nowMs) / there.length;
    nowMs = untilMs;
  };
  for (let index = 0; index < atMs.length; index++) {
    runUntil(atMs[index]!);
    const endsAt = given + workMs[index]!;
    let place = there.length;
    while (place > 0 && there[place - 1]!.endsAt < endsAt) place--;
    there.splice(place, 0, { index, endsAt });
  }
  runUntil(Number.MAX_SAFE_INTEGER);
  return overMs;
};

/** Whoever waits when a commit is over is in the next one: the more, the cheaper each. */
export const groupCommit =
  (commitMs: number): Service =>
  ({ atMs, workMs }) => {
    const overMs = new Float64Array(atMs.length);
    let freeMs = 0;
    for (let first = 0; first < atMs.length; ) {
      const startMs = Math.max(freeMs, atMs[first]!);
      let after = first;
      let group = commitMs;
      while (after < atMs.length && atMs[after]! <= startMs) group += workMs[after++]!;
      freeMs = startMs + group;
      overMs.fill(freeMs, first, after);
      first = after;
    }
    return overMs;
  };

/** One server; what was looked up within this time costs a tenth. */
export const cached =
  (validMs: number): Service =>
  ({ atMs, workMs, keys }) => {
    const loadedMs = new Map<number, number>();
    let freeMs = 0;
    return atMs.map((at, i) => {
      const startMs = Math.max(at, freeMs);
      const isKnown = startMs - (loadedMs.get(keys[i]!) ?? Number.NEGATIVE_INFINITY) < validMs;
      freeMs = startMs + (isKnown ? 0.1 : 1) * workMs[i]!;
      if (!isKnown) loadedMs.set(keys[i]!, freeMs);
      return freeMs;
    });
  };
