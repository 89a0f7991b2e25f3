/**
 * A device's state as bytes. Numbers rather than JSON: it is read and written for each device of each step.
 *
 * version, count, keptAtMs, day, dayCount, dwelling (lat, lon, recordedAtMs, untilMs) · count × (lat, lon, recordedAtMs), each f64 · sayings as JSON
 */
import { type DeviceState, newState, type Point, pointsMax } from './device-state.ts';

const version = 1;
const headNumbers = 9;
const pointNumbers = 3;
const numberBytes = 8;

// One room for the numbers of all: what is allocated for each event costs more than the filters.
const numbers = new Float64Array(headNumbers + pointsMax * pointNumbers);
const bytesOfNumbers = Buffer.from(numbers.buffer);

export function encodeState({ points, keptAtMs, day, dayCount, dwelling, sayings }: DeviceState): Buffer {
  numbers[0] = version;
  numbers[1] = points.length;
  numbers[2] = keptAtMs;
  numbers[3] = day;
  numbers[4] = dayCount;
  numbers[5] = dwelling === undefined ? Number.NaN : dwelling.lat;
  numbers[6] = dwelling === undefined ? Number.NaN : dwelling.lon;
  numbers[7] = dwelling === undefined ? Number.NaN : dwelling.recordedAtMs;
  numbers[8] = dwelling === undefined ? Number.NaN : dwelling.untilMs;
  let at = headNumbers;
  for (const { lat, lon, recordedAtMs } of points) {
    numbers[at++] = lat;
    numbers[at++] = lon;
    numbers[at++] = recordedAtMs;
  }
  const bytes = Buffer.allocUnsafe(at * numberBytes + sayings.length);
  bytesOfNumbers.copy(bytes, 0, 0, at * numberBytes);
  if (sayings.length > 0) bytes.set(sayings, at * numberBytes);
  return bytes;
}

/** Bytes of another version are a device that nothing is known of. */
export function decodeState(bytes: Uint8Array | undefined): DeviceState {
  if (bytes === undefined || bytes.length < headNumbers * numberBytes) return newState;
  bytesOfNumbers.set(bytes.length <= bytesOfNumbers.length ? bytes : bytes.subarray(0, bytesOfNumbers.length));
  const count = numbers[1] as number;
  const end = (headNumbers + count * pointNumbers) * numberBytes;
  if (numbers[0] !== version || !(count <= pointsMax) || end > bytes.length) return newState;
  const points: Point[] = [];
  for (let at = headNumbers; points.length < count; at += pointNumbers) points.push(pointAt(at));
  const dwelling = Number.isNaN(numbers[7]) ? undefined : { ...pointAt(5), untilMs: numbers[8] as number };
  const sayings = end === bytes.length ? newState.sayings : bytes.slice(end);
  return { points, keptAtMs: numbers[2] as number, day: numbers[3] as number, dayCount: numbers[4] as number, dwelling, sayings };
}

const pointAt = (at: number): Point => ({ lat: numbers[at] as number, lon: numbers[at + 1] as number, recordedAtMs: numbers[at + 2] as number });
