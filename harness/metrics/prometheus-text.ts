/**
 * Reads Prometheus' text exposition format into sample → value, as far as gates need it: one line, one number. The registry's
 * parsers of this format have had no release for years and give no types; this is the format's grammar for a sample line.
 */

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s+(\S+)(?:\s+-?\d+)?$/;

/** Keys are the samples as written, labels included. Throws on a line that is neither a comment, empty nor a sample. */
export function parsePrometheusText(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = sampleLine.exec(line);
    if (match === null) throw new Error(`not a Prometheus sample: ${line.slice(0, 120)}`);
    values[match[1]! + (match[2] ?? '')] = numberOf(match[3]!);
  }
  return values;
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** Sum over every sample of that name, whatever its labels; undefined where there is none. */
export function sumOf(values: Readonly<Record<string, number>>, name: string): number | undefined {
  let sum: number | undefined;
  for (const key of Object.keys(values)) if (key === name || key.startsWith(`${name}{`)) sum = (sum ?? 0) + values[key]!;
  return sum;
}
