// Every rate curve as pieces on which the rate is a straight line, so that its integral and the inverse of it are closed forms.
import type { RateCurve } from '#harness/scenario.ts';

type Piece = {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
  readonly fromPerSecond: number;
  readonly toPerSecond: number;
  /** Integral of the rate before and after this piece. */
  readonly arrivalsBefore: number;
  readonly arrivalsAfter: number;
};
export type RatePieces = readonly Piece[];

type Corner = { readonly atSeconds: number; readonly fromPerSecond: number; readonly toPerSecond: number };

function cornersOf(curve: RateCurve): readonly Corner[] {
  const flat = (atSeconds: number, perSecond: number): Corner => ({ atSeconds, fromPerSecond: perSecond, toPerSecond: perSecond });
  switch (curve.kind) {
    case 'constant':
      return [flat(0, curve.ratePerSecond)];
    case 'ramp':
      return [{ atSeconds: 0, fromPerSecond: curve.fromPerSecond, toPerSecond: curve.toPerSecond }];
    case 'step': {
      // Before the first step nothing arrives.
      const sorted = [...curve.steps].sort((x, y) => x.atSeconds - y.atSeconds);
      return [flat(0, 0), ...sorted.map((step) => flat(step.atSeconds, step.ratePerSecond))];
    }
    case 'spike':
      if (curve.untilSeconds <= curve.fromSeconds) return [flat(0, curve.basePerSecond)];
      return [flat(0, curve.basePerSecond), flat(curve.fromSeconds, curve.peakPerSecond), flat(curve.untilSeconds, curve.basePerSecond)];
  }
}

/** The curve cut at the phase's end. Pieces without time are left out. */
export function ratePieces(curve: RateCurve, durationSeconds: number): RatePieces {
  const corners = cornersOf(curve);
  const pieces: Piece[] = [];
  let arrivals = 0;
  corners.forEach((corner, index) => {
    const untilSeconds = Math.min(corners[index + 1]?.atSeconds ?? durationSeconds, durationSeconds);
    if (untilSeconds <= corner.atSeconds) return;
    const arrivalsBefore = arrivals;
    arrivals += ((corner.fromPerSecond + corner.toPerSecond) / 2) * (untilSeconds - corner.atSeconds);
    pieces.push({
      fromSeconds: corner.atSeconds,
      untilSeconds,
      fromPerSecond: corner.fromPerSecond,
      toPerSecond: corner.toPerSecond,
      arrivalsBefore,
      arrivalsAfter: arrivals,
    });
  });
  return pieces;
}

export const arrivalsExpected = (pieces: RatePieces): number => pieces.at(-1)?.arrivalsAfter ?? 0;

/** How many arrivals a phase has: the integral of its rate, rounded. The same for every seed. */
export function arrivalCount(phase: { readonly rate: RateCurve; readonly durationSeconds: number }): number {
  return Math.round(arrivalsExpected(ratePieces(phase.rate, phase.durationSeconds)));
}

/** Arrivals a second at the busiest instant. */
export function peakPerSecond(phase: { readonly rate: RateCurve; readonly durationSeconds: number }): number {
  return ratePieces(phase.rate, phase.durationSeconds).reduce((peak, piece) => Math.max(peak, piece.fromPerSecond, piece.toPerSecond), 0);
}

/** Where in the piece its integral reaches `arrivals`: the root of r0·t + (r1 − r0)/(2d)·t², in the form that stays exact for r0 ≈ r1. */
function secondsInPiece(piece: Piece, arrivals: number): number {
  const length = piece.untilSeconds - piece.fromSeconds;
  const slope = (piece.toPerSecond - piece.fromPerSecond) / length;
  const root = Math.sqrt(Math.max(0, piece.fromPerSecond * piece.fromPerSecond + 2 * slope * arrivals));
  const denominator = piece.fromPerSecond + root;
  return denominator > 0 ? Math.min(length, (2 * arrivals) / denominator) : 0;
}

/** Inverse of the cumulative rate for arguments that never decrease: remembers the piece it is in. Milliseconds. */
export function createInverse(pieces: RatePieces): (arrivals: number) => number {
  let at = 0;
  return (arrivals) => {
    while (at < pieces.length - 1 && arrivals >= pieces[at]!.arrivalsAfter) at++;
    const piece = pieces[at];
    if (piece === undefined) return Number.POSITIVE_INFINITY;
    return 1000 * (piece.fromSeconds + secondsInPiece(piece, Math.max(0, arrivals - piece.arrivalsBefore)));
  };
}
