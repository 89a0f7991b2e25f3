/** The balancer as a process of its own: thousands of connections must not sit in the event loop of who drives the load. It ends when its channel closes. */
import { leaveTerminalSignals } from '#harness/end-signals.ts';
import { readDescriptorLimit } from '#harness/metrics/proc.ts';
import { openLineLog } from './access-log.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { modelSettings } from './choice.ts';
import type { BalancerCommand, BalancerProcessOptions, BalancerReport, FromBalancer, ToBalancer } from './messages.ts';

const say = (message: FromBalancer): void => void (process.connected && process.send?.(message, () => undefined));
/** For connections that do not want to end. */
const endWithinMs = 2000;

async function serve({ choice, targets, scale, port = 0, logFile }: BalancerProcessOptions): Promise<void> {
  const log = openLineLog(logFile);
  const balancer = await startBalancer({
    settings: modelSettings(choice, readDescriptorLimit()),
    targets,
    scale,
    port,
    onAccess: (line) => log.write(JSON.stringify(line)),
  });
  const end = async (): Promise<void> => {
    setTimeout(() => process.exit(1), endWithinMs).unref();
    await balancer.close();
    await log.end();
    process.exit(0);
  };
  // Ctrl-C reaches the whole group; what was measured so far is still read back through here.
  leaveTerminalSignals();
  process.once('SIGTERM', () => void end());
  // Whoever started it is gone, however it ended.
  process.once('disconnect', () => void end());
  process.on('message', ({ id, command }: ToBalancer) => {
    carryOut(balancer, command);
    say({ kind: 'done', id, report: reportOf(balancer) });
  });
  say({ kind: 'listening', url: balancer.url });
}

function carryOut(balancer: Balancer, command: BalancerCommand): void {
  if (command.kind === 'set-targets') balancer.setTargets(command.targets);
  else if (command.kind === 'drain') balancer.drain(command.target, command.delayMs);
  else if (command.kind === 'drop-all') balancer.dropAll(command.how);
}

function reportOf({ counts, units }: Balancer): BalancerReport {
  const now = units();
  return { ...counts, ...(now === undefined ? {} : { units: now }) };
}

serve(JSON.parse(process.argv[2] ?? '{}') as BalancerProcessOptions).catch((error: Error) => {
  say({ kind: 'failed', text: error.message });
  process.disconnect?.();
});
