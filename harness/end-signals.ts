/** What ends a run: Ctrl-C, a polite end from outside, and a terminal that was closed. */
const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Gives back what stops listening. */
export function onEndSignals(act: () => void): () => void {
  for (const signal of endSignals) process.on(signal, act);
  return () => {
    for (const signal of endSignals) process.off(signal, act);
  };
}

/** For a process that a run has forked: Ctrl-C and a closed terminal reach the whole group, and what ends when is the run's to say. */
export function leaveTerminalSignals(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
}
