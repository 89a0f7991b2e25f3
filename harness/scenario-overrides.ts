/** `--set fleet.devices=500`: changes one place of a scenario. The place is checked here, the value by `parseScenario` afterwards. */
import { offer } from '#harness/gates/nearest.ts';
import { branchOf, isRecord, type ScenarioError, type SchemaNode, scenarioSchema } from './scenario-schema.ts';

export type Overridden = { readonly kind: 'ok'; readonly value: unknown } | { readonly kind: 'errors'; readonly errors: readonly ScenarioError[] };

/** A copy with every override applied in order. Places: `fleet.devices`, `phases[1].rate`, `phases.spike.rate.ratePerSecond`, `thresholds.0.expression`. */
export function applyOverrides(value: unknown, overrides: readonly string[]): Overridden {
  const copy: unknown = structuredClone(value);
  const errors = overrides.flatMap((override) => applyOne(copy, override) ?? []);
  return errors.length > 0 ? { kind: 'errors', errors } : { kind: 'ok', value: copy };
}

function applyOne(root: unknown, override: string): ScenarioError | undefined {
  const equals = override.indexOf('=');
  if (equals <= 0) return { path: override, message: 'an override is written place=value, as in fleet.devices=500' };
  const place = override.slice(0, equals);
  const keys = place.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  let schema: SchemaNode = scenarioSchema;
  let holder: unknown = root;
  for (const [depth, key] of keys.entries()) {
    const path = keys.slice(0, depth + 1).join('.');
    const step = stepInto(schema, holder, key);
    if (step.kind === 'unknown') return { path: place, message: `there is no ${path}${offer(key, step.known)}` };
    if (depth === keys.length - 1) {
      step.holder[step.key] = parseValue(override.slice(equals + 1));
      return undefined;
    }
    // An optional object that the scenario leaves out, as `system`, comes into being here.
    if (step.holder[step.key] === undefined && step.schema.type === 'object') step.holder[step.key] = {};
    schema = step.schema;
    holder = step.holder[step.key];
  }
  return undefined;
}

type Holder = Record<string | number, unknown>;
type Step =
  | { readonly kind: 'step'; readonly holder: Holder; readonly key: string | number; readonly schema: SchemaNode }
  | { readonly kind: 'unknown'; readonly known: readonly string[] };

function stepInto(schema: SchemaNode, holder: unknown, key: string): Step {
  if (schema.items !== undefined && Array.isArray(holder)) return stepIntoList(schema.items, holder, key);
  const branch = schema.anyOf === undefined ? schema : branchOf(schema.anyOf, holder);
  const properties = branch?.properties ?? {};
  const others = Object.values(branch?.patternProperties ?? {})[0];
  const inner = Object.hasOwn(properties, key) ? properties[key] : key === '__proto__' ? undefined : others;
  if (inner === undefined || !isRecord(holder))
    return { kind: 'unknown', known: others === undefined ? Object.keys(properties) : Object.keys(isRecord(holder) ? holder : {}) };
  return { kind: 'step', holder, key, schema: inner };
}

/** By index, or by name where the items have one. */
function stepIntoList(items: SchemaNode, holder: readonly unknown[], key: string): Step {
  const names = holder.map((item) => (isRecord(item) && typeof item.name === 'string' ? item.name : undefined));
  const index = /^\d+$/.test(key) ? Number(key) : names.indexOf(key);
  if (index < 0 || index >= holder.length) {
    const named = names.filter((name) => name !== undefined);
    return { kind: 'unknown', known: named.length > 0 ? named : holder.map((_, i) => String(i)) };
  }
  return { kind: 'step', holder: holder as unknown as Holder, key: index, schema: items };
}

/** JSON where it is JSON, else the text itself: `500`, `true`, `{"kind":"constant",…}`, `spike`. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
