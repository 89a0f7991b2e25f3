/** Instants on the wire: RFC 3339, within bounds that are published. The one parser for all routes. */
import { limits } from './limits.ts';

const pattern = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const minMs = Date.parse(limits.instantMin);
const maxMs = Date.parse(limits.instantMax);
const minuteMs = 60_000;

/** Milliseconds since 1970; undefined for what is no instant: a day that its month does not have, or a year beyond the bounds by UTC. */
export function parseInstant(text: string): number | undefined {
  const parts = pattern.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const [offsetHours, offsetMinutes] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  const dayMs = midnightOf(year, month, day);
  if (dayMs === undefined || hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offsetMs = (parts[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * minuteMs;
  const wholeMs = dayMs + (hour * 60 + minute) * minuteMs - offsetMs;
  // A leap second is the end of a UTC day, and counts as the second behind it.
  if (second === 60 && (wholeMs + minuteMs) % 86_400_000 !== 0) return undefined;
  const instantMs = wholeMs + second * 1000 + Math.floor(Number(`0.${parts[7] ?? 0}`) * 1000);
  return instantMs >= minMs && instantMs <= maxMs ? instantMs : undefined;
}

function midnightOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined;
}
