/** Whoever waits for something that says nothing hears every so often that it goes on. */
const everyMs = 15_000;

export type Progress = { readonly name: string; readonly minutes: number; readonly say: (line: string) => void };

/** Resolves or rejects as `work` does; the seconds are those of the process's own clock. */
export async function withProgress<T>(work: Promise<T>, { name, minutes, say }: Progress): Promise<T> {
  const startedMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedMs) / 1000);
  const timer = setInterval(() => say(`${name}: still at it after ${seconds()} s, of about ${Math.ceil(minutes * 60)}`), everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
