/** Those of a scenario's thresholds that k6 can watch by itself. Its own verdict is a hint; the one that counts is made from its samples. Pure. */
import type { Scenario } from '#harness/scenario.ts';
import { sampleMetric } from './sample-format.ts';

/** `service_ms{phase:load,operation:ingest}` → name and selectors. */
const metricPattern = /^(\w+)(?:\{(.*)\})?$/;
/** k6 has no response time from the plan on: what it times is the service. */
const times = ['response_ms', 'service_ms'];

export function k6Thresholds({ thresholds, phases }: Scenario): Readonly<Record<string, readonly string[]>> {
  const named: Record<string, string[]> = {};
  const put = (name: string, expression: string) => {
    named[name] = [...(named[name] ?? []), expression];
  };
  for (const { metric, expression } of thresholds) {
    const [, name = '', selectors = ''] = metricPattern.exec(metric) ?? [];
    const plain = /^p\(\d+(\.\d+)?\)\s*<=?\s*\d+(\.\d+)?$/.test(expression);
    if (times.includes(name) && plain) put(selectors === '' ? sampleMetric : `${sampleMetric}{${selectors}}`, expression);
  }
  for (const { name, measured } of phases) if (measured) put(`dropped_iterations{scenario:${name}}`, 'count==0');
  return named;
}
