/** Accept (RFC 9110, 12.5.1). Pure. */

type Range = { readonly type: string; readonly weight: number };

const range = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;(.*))?$/s;
const weightParameter = /(?:^|;)\s*q=([^;]*)/i;
const weightForm = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * Those of the offered types that may be given, what is liked best first: by weight, then in the client's order, then
 * in ours. Weight 0 means never. All of them where nothing is asked for. Parameters of a media type choose nothing here,
 * as ours have none; an element that is no media range is passed over.
 */
export function acceptableTypes<Type extends string>(header: string | undefined, offered: readonly Type[]): readonly Type[] {
  const ranges = elementsOf(header ?? '').map(readRange);
  if (ranges.length === 0) return offered;
  return offered
    .map((type) => ({ type, found: mostSpecific(ranges, type) }))
    .filter(({ found }) => found.weight > 0)
    .sort((a, b) => b.found.weight - a.found.weight || a.found.place - b.found.place)
    .map(({ type }) => type);
}

/** The elements of a list without what stands in quotes, which may have commas of its own. Each character is looked at once, whatever comes. */
function elementsOf(header: string): readonly string[] {
  let unquoted = '';
  let isQuoted = false;
  for (let at = 0; at < header.length; at++) {
    if (header[at] === '"') isQuoted = !isQuoted;
    else if (!isQuoted) unquoted += header[at];
    else if (header[at] === '\\') at++;
  }
  return unquoted.split(',').filter((element) => element.trim() !== '');
}

function readRange(element: string): Range | undefined {
  const [, type, parameters = ''] = range.exec(element) ?? [];
  const weight = weightParameter.exec(parameters)?.[1]?.trim() ?? '1';
  return type === undefined || !weightForm.test(weight) ? undefined : { type: type.toLowerCase(), weight: Number(weight) };
}

/** The type itself before its kind, and its kind before anything. */
function mostSpecific(ranges: readonly (Range | undefined)[], type: string): { readonly weight: number; readonly place: number } {
  for (const wanted of [type, `${type.split('/', 1)[0]}/*`, '*/*']) {
    const place = ranges.findIndex((each) => each?.type === wanted);
    if (place >= 0) return { weight: ranges[place]?.weight ?? 0, place };
  }
  return { weight: 0, place: ranges.length };
}
