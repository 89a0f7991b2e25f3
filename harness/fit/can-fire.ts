/** Can the generator alone fire the plan's peak here? Asked before anything is started for it, so that a machine on which it cannot says so at once. */
import { type Calibrated, calibrateWhole } from '#harness/engine/native/calibrate.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import { InterruptedError } from '#harness/interrupted-error.ts';
import type { CalibrationRecord } from '#harness/run-result.ts';

export type Asking = {
  /** The run's own: what is calibrated is what measures. */
  readonly wire: WireChoice;
  readonly seed: number;
  readonly workers: number;
  readonly peakPerSecond: number;
  readonly signal: AbortSignal;
};

export type CanFire = {
  /** The first is asked for twice the peak: what there is to spare stands in it. */
  readonly calibration: readonly CalibrationRecord[];
  /** undefined: it can. */
  readonly firedPerSecond: number | undefined;
};

const secondsBefore = 3;
const secondsAgain = 2;
/** Of the peak: below it there is no doubt, above it the run itself says how much was not delivered. */
const firedShareMin = 0.9;
/** No generator that anybody measured writes more requests a second in one thread: asked for more, it only takes longer to fail. */
const perWorkerMax = 50_000;
/** Of what was fired in vain, the next rate that is tried. */
const nextShare = 0.7;
const triesMax = 5;

type Try = { readonly ratePerSecond: number; readonly seconds: number; readonly when: CalibrationRecord['when'] };

/** Without more connections than the null target needs at the plan's peak: it has to measure the instrument, not a pool. */
export function calibrateAt({ wire, seed, workers }: Omit<Asking, 'peakPerSecond' | 'signal'>, { ratePerSecond, seconds, when }: Try): Promise<Calibrated> {
  const engine = createNativeEngine({ connectionsMax: 1024, wire });
  return calibrateWhole({ engine, when, peakPerSecond: ratePerSecond, factor: 1, seconds, workers, connections: 64, seed });
}

/** `check`: false leaves it at the one calibration that a report shows. */
export async function canFire(asking: Asking, check: boolean): Promise<CanFire> {
  const { peakPerSecond, workers, signal } = asking;
  const calibration: CalibrationRecord[] = [];
  const most = perWorkerMax * workers;
  let ratePerSecond = check ? Math.min(2 * peakPerSecond, most) : 2 * peakPerSecond;
  for (;;) {
    const first = calibration.length === 0;
    const { record, firedPerSecond } = await calibrateAt(asking, { ratePerSecond, seconds: first ? secondsBefore : secondsAgain, when: 'before' });
    calibration.push(record);
    if (signal.aborted) throw new InterruptedError('stopped before anything was measured');
    // Its best second, late or in time: the first ones are its compiler's.
    const best = Math.max(record.achievedRatePerSecond, firedPerSecond);
    if (!check || best >= firedShareMin * peakPerSecond) return { calibration, firedPerSecond: undefined };
    if (ratePerSecond < peakPerSecond && best >= firedShareMin * ratePerSecond) return { calibration, firedPerSecond: ratePerSecond };
    if (calibration.length === triesMax) return { calibration, firedPerSecond };
    // Twice the peak may be too much where the peak itself is not.
    ratePerSecond = ratePerSecond > peakPerSecond ? peakPerSecond : Math.max(ratePerSecond / 8, Math.min(ratePerSecond / 2, nextShare * firedPerSecond));
  }
}
