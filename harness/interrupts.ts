/** Ctrl-C once: stop driving, report what was measured. Twice: end at once, children first. */
import { onEndSignals } from './end-signals.ts';

export type Interrupts = {
  readonly signal: AbortSignal;
  /** Called at once and synchronously when the process has to go; for killing children. */
  readonly onKill: (kill: () => void) => void;
  readonly release: () => void;
};

const reporting = 'stopping: what was measured so far will be reported; press Ctrl-C again to end at once';

export function watchInterrupts(say: (line: string) => void, sentence = reporting): Interrupts {
  const controller = new AbortController();
  const kills: (() => void)[] = [];
  const killAll = () => {
    for (const kill of kills.splice(0)) kill();
  };
  const onSignal = () => {
    if (controller.signal.aborted) {
      killAll();
      process.exit(130);
    }
    say(sentence);
    controller.abort();
  };
  const stopListening = onEndSignals(onSignal);
  // A crash of the harness must not leave a service behind: exit handlers run for uncaught errors too.
  process.on('exit', killAll);
  return {
    signal: controller.signal,
    onKill: (kill) => kills.push(kill),
    release: () => {
      stopListening();
      process.off('exit', killAll);
    },
  };
}
