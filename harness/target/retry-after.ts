/** `Retry-After` as RFC 9110 §10.2.3 has it: seconds, or an HTTP date. Pure: a date is held against the answer's own `Date`. */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const fixdate = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/** How long the service asks to be left alone; undefined where it does not say, or by no date that a clock of its own stands beside. */
export function retryAfterSeconds(header: (name: string) => string | undefined): number | undefined {
  const asked = header('retry-after');
  if (asked === undefined) return undefined;
  if (/^\d+$/.test(asked)) return Number(asked);
  const [until, now] = [epochSeconds(asked), epochSeconds(header('date') ?? '')];
  return until === undefined || now === undefined ? undefined : Math.max(0, until - now);
}

/** Seconds since 1970 of an HTTP date in the form that every sender has to use. */
function epochSeconds(text: string): number | undefined {
  const [, day, monthName = '', year, hours, minutes, seconds] = fixdate.exec(text) ?? [];
  const month = months.indexOf(monthName);
  if (month < 0) return undefined;
  const days = daysBefore(Number(year), month) + Number(day) - 1;
  return ((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

const daysOfMonths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const leapDaysBefore = (year: number): number => Math.floor((year - 1) / 4) - Math.floor((year - 1) / 100) + Math.floor((year - 1) / 400);

/** Days from 1970 to the first of a month. */
function daysBefore(year: number, month: number): number {
  const ofYears = (year - 1970) * 365 + leapDaysBefore(year) - leapDaysBefore(1970);
  const ofMonths = daysOfMonths.slice(0, month).reduce((sum, one) => sum + one, 0);
  return ofYears + ofMonths + (month > 1 && isLeap(year) ? 1 : 0);
}
