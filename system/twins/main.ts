/** Starts the service in one process with one fault. */
import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { noRelay } from '#system/bus.ts';
import { readConfig } from '#system/config.ts';
import { openServiceStore, restoreServiceStore } from '#system/service-store.ts';
import { createOwnPermits } from '#system/stream/permits.ts';
import { connectionsMax } from '#system/supervisor/descriptors.ts';
import { readyLine } from '#system/supervisor/ready-line.ts';
import { type RunningWorker, startWorker } from '#system/supervisor/worker.ts';
import { createPrinter } from '#system/telemetry/prometheus.ts';
import { faults } from './faults.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    host: { type: 'string' },
    'admin-port': { type: 'string' },
    workers: { type: 'string' },
    data: { type: 'string' },
    'proxy-port': { type: 'string' },
    'exit-with-parent': { type: 'boolean' },
  },
});
const fault = faults.find(({ name }) => name === positionals[0]);
if (fault === undefined) {
  process.stderr.write(
    `there is no fault "${positionals[0] ?? ''}"; there are:\n${faults.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join('\n')}\n`,
  );
  process.exit(2);
}
const config = readConfig(process.env, values);
const adminToken = randomBytes(24).toString('base64url');
const log = (level: 'info' | 'error', text: string): void => void process.stderr.write(`${JSON.stringify({ level, text })}\n`);
if (config.restoreFrom !== undefined && fault.keepsEpoch === true) cpSync(config.restoreFrom, config.dataFolder, { recursive: true });
else await restoreServiceStore(config);
const pipeline = fault.pipeline === undefined ? undefined : `${import.meta.resolve('./faulty-pipeline.ts')}?fault=${fault.pipeline}`;
// What the pipeline steps before it runs is news to nobody: no stream is open yet.
let running: RunningWorker | undefined;
const store = await openServiceStore({
  config,
  log,

  pipeline,
  flush: fault.flush,
  onDeviceNews: (devices) => running?.deviceNews(devices),
});
const printer = createPrinter();
const worker = await startWorker({
  config,
  adminToken,
  store,
  metrics: async () => printer.print([await worker.snapshot()]),
  log,
  relay: noRelay,
  startDrain: () => drain(),
  restartWorkers: async () => 'alone',
  permits: createOwnPermits(),
  connectionsMax: fault.acceptsAll === true ? undefined : connectionsMax(),
  customise: fault.apply,
});
running = worker;
const drain = () => void worker.drain().then(() => process.exit(0));
process.on('SIGTERM', drain);
process.on('SIGINT', drain);
if (values['exit-with-parent'] === true) process.stdin.resume().on('end', drain).on('error', drain);
process.stdout.write(readyLine({ addresses: worker, adminToken, workers: [process.pid] }));
