/** One k6 process: its samples by its standard output, what it complains of by its standard error. */
import { type ChildProcess, spawn } from 'node:child_process';
import { csvTimeFormat } from './samples.ts';

export type K6ProcessInput = {
  readonly program: string;
  readonly script: string;
  readonly devicesFile: string;
  readonly gateUrl: string;
  /** Of `processes`: which part of every phase's arrivals is this one's. */
  readonly index: number;
  readonly processes: number;
  /** PEM file of a certificate authority to trust. */
  readonly caFile?: string;
  readonly onText: (text: string) => void;
};

export type K6Process = {
  readonly pid: number;
  /** Resolves when all output was read; with a sentence where it did not end as it should. */
  readonly ended: Promise<string | undefined>;
  readonly stop: () => void;
  readonly kill: () => void;
};

const complaintCharsMax = 4000;
/** Stopped by a signal from outside. */
const stoppedCode = 105;

export function segmentOf(index: number, processes: number): { readonly segment: string; readonly sequence: string } {
  const at = (i: number): string => (i === 0 ? '0' : i === processes ? '1' : `${i}/${processes}`);
  return { segment: `${at(index)}:${at(index + 1)}`, sequence: Array.from({ length: processes + 1 }, (_, i) => at(i)).join(',') };
}

function argumentsOf({ script, index, processes }: K6ProcessInput): readonly string[] {
  const { segment, sequence } = segmentOf(index, processes);
  const segments = processes === 1 ? [] : ['--execution-segment', segment, '--execution-segment-sequence', sequence];
  return ['run', '--quiet', '--no-color', '--summary-mode', 'disabled', '--no-usage-report', '--no-thresholds', '--out', 'csv=-', ...segments, script];
}

export function startK6Process(input: K6ProcessInput): K6Process {
  const child = spawn(input.program, argumentsOf(input), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HEADROOM_DEVICES: input.devicesFile,
      HEADROOM_GATE: input.gateUrl,
      K6_CSV_TIME_FORMAT: csvTimeFormat,
      K6_CSV_SAVE_INTERVAL: '500ms',
      // Its garbage collector marks every VU's memory, and by default whenever the rest has doubled: a tenth to a fifth of k6's processor time.
      GOGC: process.env.GOGC ?? '400',
      // Nothing is fetched silently.
      K6_AUTO_EXTENSION_RESOLUTION: 'false',
      ...(input.caFile === undefined ? {} : { SSL_CERT_FILE: input.caFile }),
    },
  });
  let stopping = false;
  let complaints = '';
  child.stdout.setEncoding('latin1').on('data', input.onText);
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-complaintCharsMax);
  });
  const ended = endOf(child, () => ({ stopping, complaints }));
  const signal = (name: NodeJS.Signals): void => {
    stopping = true;
    child.kill(name);
  };
  return { pid: child.pid ?? 0, ended, stop: () => signal('SIGINT'), kill: () => signal('SIGKILL') };
}

function endOf(child: ChildProcess, state: () => { readonly stopping: boolean; readonly complaints: string }): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`k6 could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      const { stopping, complaints } = state();
      if (code === 0 || (stopping && (code === stoppedCode || signal !== null))) return resolve(undefined);
      resolve(`k6 ended with ${code === null ? signal : `code ${code}`}: ${complaints.trim().split('\n').slice(-3).join(' ')}`);
    });
  });
}
