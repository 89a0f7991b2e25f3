/**
 * Stands between the harness and its HAProxy, which knows nothing of parents: a harness that is killed would leave it running. Ends it when
 * the channel closes, and writes its log, which the event loop that drives the load must not have to read.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { openLineLog } from '#harness/balancer/access-log.ts';
import { leaveTerminalSignals } from '#harness/end-signals.ts';

export type KeeperOptions = { readonly program: string; readonly configFile: string; readonly logFile: string };
export type FromKeeper = { readonly kind: 'started'; readonly pid: number } | { readonly kind: 'ended'; readonly lastWords: readonly string[] };

const tailLinesMax = 20;
const endWithinMs = 2000;
const say = (message: FromKeeper): void => void (process.connected && process.send?.(message, () => undefined));

function keep({ program, configFile, logFile }: KeeperOptions): void {
  const log = openLineLog(logFile);
  const tail: string[] = [];
  // In the foreground, so that it is a child; detached, since Ctrl-C reaches a whole group and what was measured is still read back through it.
  const child = spawn(program, ['-db', '-f', configFile], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(line);
      tail.push(line);
      if (tail.length > tailLinesMax) tail.shift();
    });
  }
  const end = (): void => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), endWithinMs).unref();
  };
  child.once('spawn', () => say({ kind: 'started', pid: child.pid as number }));
  child.once('error', (error) => tail.push(error.message));
  child.once('close', async () => {
    say({ kind: 'ended', lastWords: tail });
    await log.end();
    process.exit(0);
  });
  leaveTerminalSignals();
  process.once('SIGTERM', end);
  process.once('disconnect', end);
}

keep(JSON.parse(process.argv[2] ?? '{}') as KeeperOptions);
