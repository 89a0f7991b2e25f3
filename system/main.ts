/** Process edge: settings, signals, exit codes. */
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { type Config, ConfigError, readConfig, settingNames } from './config.ts';
import type { DeviceRef } from './store/store.ts';
import { createChannel } from './supervisor/channel.ts';
import { connectionsMax } from './supervisor/descriptors.ts';
import { portEnvironment, settlePorts, withSettledPorts } from './supervisor/ports.ts';
import { readyLine } from './supervisor/ready-line.ts';
import type { RunningWorker } from './supervisor/worker.ts';

const log = (level: 'info' | 'error', text: string) =>
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, pid: process.pid, text })}\n`);
const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

if (Number(process.versions.node.split('.')[0]) < 26) {
  process.stderr.write(`Headroom needs Node 26 and this is ${process.version}. Start it through npm, which brings the right one: npm run system\n`);
  process.exit(2);
}

async function main(): Promise<void> {
  const parser = yargs(hideBin(process.argv))
    .scriptName('npm run system --')
    .usage('$0 [options]\n$0 account NAME   make an account at a running service')
    .epilogue(
      'SIGTERM drains: not ready any more, requests finish, streams say goodbye. SIGHUP, or POST /admin/v1/restart-workers, replaces one worker after the other while the service goes on.',
    )
    .command('account <name>', 'make an account through the admin listener and print its keys', (command) =>
      command.positional('name', { type: 'string', demandOption: true }),
    )
    .option('exit-with-parent', { type: 'boolean', default: false, describe: 'end when standard input closes' })
    .strict()
    .version(false)
    .parserConfiguration({ 'camel-case-expansion': false });
  for (const { flag, env, about, byDefault } of settingNames)
    parser.option(flag, { type: 'string', describe: `${about} [${env}]${byDefault === undefined ? '' : ` (${byDefault})`}` });
  const flags = await parser.parse();
  const config = readConfig(process.env, flags);
  if (flags._[0] === 'account') await makeAccount(config, String(flags.name));
  else if (cluster.isPrimary) await runSupervisor(config, flags['exit-with-parent'] === true);
  else await runWorker(config);
}

async function makeAccount(config: Config, name: string): Promise<void> {
  if (config.adminToken === undefined)
    throw new ConfigError('an account is made with the admin token of the running service: give it as --admin-token or HEADROOM_ADMIN_TOKEN');
  const url = `http://127.0.0.1:${config.adminPort}/admin/v1/accounts`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${config.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  }).catch((error: Error & { cause?: Error }) => {
    throw new Error(`nothing answers at ${url} (${error.cause?.message ?? error.message}); is the service running, and is --admin-port right?`);
  });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`${url} answered ${answer.status}: ${text}`);
  process.stdout.write(`${JSON.stringify(JSON.parse(text), undefined, 2)}\n`);
}

async function runSupervisor(config: Config, exitWithParent: boolean): Promise<void> {
  // Loaded here and not above: the other kind of process needs none of it, and reading it is most of what a start costs.
  const [{ supervise }, { closeDataFolder, lookAtData, restoreServiceStore }] = await Promise.all([
    import('./supervisor/supervisor.ts'),
    import('./service-store.ts'),
  ]);
  const adminToken = config.adminToken ?? randomBytes(24).toString('base64url');
  for (const text of closeDataFolder(config)) log('info', text);
  const epoch = await restoreServiceStore(config).catch((error: unknown) => {
    throw new ConfigError(`--restore-from: ${sentence(error)}`);
  });
  if (epoch !== undefined) log('info', `restored ${config.restoreFrom} into ${config.dataFolder}; the epoch is ${epoch} now`);
  for (const text of lookAtData(config)) log('info', text);
  const ports = await settlePorts(config).catch((error: unknown) => {
    throw new Error(explain(error, config));
  });
  const { drain, restart, ended } = supervise({
    workers: config.workers,
    drainTimeoutMs: config.drainTimeoutMs,
    workerEnvironment: { HEADROOM_ADMIN_TOKEN: adminToken, [ticketKeysVariable]: randomBytes(48).toString('hex'), ...portEnvironment(ports) },
    onReady: ({ workers, ...addresses }) =>
      void process.stdout.write(readyLine({ addresses, adminToken: config.adminToken === undefined ? adminToken : undefined, workers })),
    onWorkers: (workers) => process.stdout.write(`${JSON.stringify({ workers })}\n`),
    log,
  });
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
  process.on('SIGHUP', () => {
    const outcome = restart();
    if (outcome !== 'started')
      log('info', `SIGHUP starts nothing: ${outcome === 'draining' ? 'the service is going down' : 'the workers are being started already'}`);
  });
  if (exitWithParent) process.stdin.resume().on('end', drain).on('error', drain);
  process.exit(await ended);
}

const ticketKeysVariable = 'HEADROOM_TICKET_KEYS';
// What is in flight when the store is lost gets its 503; a drain that hangs with the disk is not waited for.
const lostDrainMs = 2000;

async function runWorker(given: Config): Promise<void> {
  const config = withSettledPorts(given, process.env);
  const channel = createChannel(process);
  // Ctrl-C and a terminal's end reach the whole group; the supervisor decides.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
  let running: RunningWorker | undefined;
  const onLost = (trouble: Error) => {
    log('error', `the store is lost to this process, which ends: ${trouble.message}`);
    const exit = () => process.exit(1);
    setTimeout(exit, lostDrainMs);
    void running?.drain().then(exit, exit);
  };
  try {
    const [{ startWorker }, { openServiceStore }] = await Promise.all([import('./supervisor/worker.ts'), import('./service-store.ts')]);
    // Who watches is not known before the worker runs, and the pipeline steps already: told to all.
    const tellDevices = (devices: readonly DeviceRef[]) => channel.say({ kind: 'news', news: { kind: 'devices', devices } });
    const onDeviceNews = (devices: readonly DeviceRef[]) => (running?.deviceNews ?? tellDevices)(devices);
    const store = await openServiceStore({ config, log, onLost, onDeviceNews });
    running = await startWorker({
      config,
      adminToken: config.adminToken ?? '',
      store,
      metrics: channel.metrics,
      log,
      relay: { news: (news) => channel.say({ kind: 'news', news }), watch: channel.watch },
      startDrain: () => channel.say({ kind: 'drain-wanted' }),
      restartWorkers: channel.restart,
      permits: channel.permits,
      connectionsMax: connectionsMax(),
      ticketKeys: Buffer.from(process.env[ticketKeysVariable] ?? '', 'hex'),
    });
    channel.serve(running, () => process.exit(0));
    const { urls, adminUrl, proxyUrl } = running;
    channel.say({ kind: 'listening', addresses: { urls, adminUrl, proxyUrl } });
  } catch (error) {
    channel.say({ kind: 'failed', text: explain(error, config) });
    setTimeout(() => process.exit(1), 100);
  }
}

function explain(error: unknown, config: Config): string {
  const { code } = error as { code?: string };
  if (code === 'EADDRINUSE') {
    const ports = [config.port, config.adminPort, ...(config.proxyProtocol === 'off' ? [] : [config.proxyPort])];
    const given = ports.filter((port) => port !== 0);
    if (given.length === 0) return 'this machine has no port free on these addresses now: thousands of connections that ended a minute ago may hold them';
    return `port ${given.join(' or ')} is taken; choose others with --port, --admin-port and --proxy-port (0 takes a free one)`;
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `this machine has not all the addresses ${config.hosts.join(', ')}; give its own with --host`;
  if (code === 'EACCES') return `port ${config.port} may not be used by this user; choose one above 1023 with --port`;
  return sentence(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${sentence(error)}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
});
