/**
 * A target that does nothing but answer, and knows when: a process of its own on raw sockets. Calibration and benches compare what
 * a generator reports with what this wrote down. Not a server: it reads requests with a content-length, from clients that are ours.
 */

import { createServer, type Socket } from 'node:net';
import { leaveTerminalSignals } from '#harness/end-signals.ts';
import { Histogram } from '#harness/metrics/histogram.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { FromNullTarget, NullTargetOptions, NullTargetReport, ToNullTarget } from './null-target-protocol.ts';

const binMs = 0.2;
/** Ten minutes of bins; later arrivals are counted and not binned. */
const binsMax = 3_000_000;
/** A client's first and last half second are its start and end, not its pacing. */
const trimBins = 2500;

type Log = { bins: Uint8Array; fromMs: number; lastBin: number; requests: number; service: Histogram; cpuBefore: NodeJS.CpuUsage };
const createLog = (): Log => ({ bins: new Uint8Array(binsMax), fromMs: -1, lastBin: 0, requests: 0, service: new Histogram(), cpuBefore: process.cpuUsage() });

/** Variance ÷ mean of the counts in bins `width` small bins wide. */
function dispersionOf(log: Log, width: number): number | null {
  const from = trimBins;
  const bins = Math.floor((log.lastBin - trimBins - from) / width);
  if (bins * width < 2 * trimBins) return null;
  let sum = 0;
  let squares = 0;
  for (let bin = 0; bin < bins; bin++) {
    let count = 0;
    for (let i = 0; i < width; i++) count += log.bins[from + bin * width + i]!;
    sum += count;
    squares += count * count;
  }
  const mean = sum / bins;
  return mean === 0 ? null : (squares / bins - mean * mean) / mean;
}

function reportOf(log: Log): NullTargetReport {
  const cpu = process.cpuUsage(log.cpuBefore);
  const dispersion = { '0.2': dispersionOf(log, 1), '1': dispersionOf(log, 5), '10': dispersionOf(log, 50) };
  return { requests: log.requests, dispersion, service: log.service.toSparse(), cpuMicros: cpu.user + cpu.system };
}

function createChooser(options: NullTargetOptions): () => number {
  const peaks = options.delays ?? [];
  if (peaks.length === 0) return () => 0;
  const random = createRandom(options.seed ?? 1, 0);
  const total = peaks.reduce((sum, peak) => sum + peak.weight, 0);
  return () => {
    let rest = random() * total;
    for (const peak of peaks) {
      rest -= peak.weight;
      if (rest < 0) return peak.delayMs;
    }
    return peaks.at(-1)!.delayMs;
  };
}

function answerText(accepted: number): string {
  const body = JSON.stringify({ accepted, duplicate: 0, rejected: [], position: '0000000000000000', durability: 'none' });
  return `HTTP/1.1 202 Accepted\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** Length of the first request in the text, head and body; 0: not all of it is here. */
function requestLength(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return 0;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd));
  const whole = headEnd + 4 + Number(length?.[1] ?? 0);
  return text.length >= whole ? whole : 0;
}

function serve(options: NullTargetOptions): void {
  let log = createLog();
  const choose = createChooser(options);
  const answer = answerText(options.accepted ?? 1);
  const arrived = (nowMs: number): void => {
    if (log.fromMs < 0) log.fromMs = nowMs;
    const bin = Math.floor((nowMs - log.fromMs) / binMs);
    log.requests++;
    if (bin >= binsMax) return;
    log.lastBin = bin;
    if (log.bins[bin]! < 255) log.bins[bin]! += 1;
  };
  const reply = (socket: Socket, arrivedMs: number): void => {
    log.service.record((performance.now() - arrivedMs) * 1000);
    if (!socket.destroyed) socket.write(answer, 'latin1');
  };
  const server = createServer({ noDelay: true }, (socket) => {
    let pending = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      const nowMs = performance.now();
      pending += chunk.toString('latin1');
      for (let length = requestLength(pending); length > 0; length = requestLength(pending)) {
        pending = pending.slice(length);
        arrived(nowMs);
        const delayMs = choose();
        if (delayMs === 0) reply(socket, nowMs);
        else setTimeout(reply, delayMs, socket, nowMs);
      }
    });
  });
  const say = (message: FromNullTarget): void => void process.send?.(message);
  process.on('message', (message: ToNullTarget) => {
    if (message.kind === 'reset') log = createLog();
    else say({ kind: 'report', report: reportOf(log) });
  });
  leaveTerminalSignals();
  // Whoever started it is gone, however it ended.
  process.on('disconnect', () => process.exit(0));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') say({ kind: 'listening', port: address.port });
  });
}

serve(JSON.parse(process.argv[2] ?? '{}') as NullTargetOptions);
