/** Walks a value along the scenario's schema and says what is wrong where, in words a scenario's author can act on. */
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { offer } from '#harness/gates/nearest.ts';
import { Scenario } from './scenario.ts';

/** `path` as it is written in the scenario: `phases[1].rate.kind`. Empty: the whole. */
export type ScenarioError = { readonly path: string; readonly message: string };

/** What a TypeBox schema of this project may contain: plain JSON Schema. */
export type SchemaNode = TSchema & {
  readonly type?: string;
  readonly const?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly SchemaNode[];
};

/** The whole schema as such a node: TypeBox's own type is too exact to walk along. */
export const scenarioSchema = Scenario as unknown as SchemaNode;

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
export const joinPath = (path: string, key: string | number): string => (typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`);

export function schemaErrors(schema: SchemaNode, value: unknown, path = ''): readonly ScenarioError[] {
  if (schema.anyOf !== undefined) return unionErrors(schema.anyOf, value, path);
  if (schema.type === 'array' && schema.items !== undefined) return arrayErrors(schema, schema.items, value, path);
  if (schema.type === 'object') return objectErrors(schema, value, path);
  if (typeof value === 'number' && !Number.isFinite(value)) return [{ path, message: 'must be a finite number' }];
  return Value.Errors(schema, value)
    .slice(0, 1)
    .map((error) => ({ path, message: `${error.message}${value === undefined ? '' : `, not ${shown(value)}`}` }));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** The branch of a union that the value's `kind` chooses. */
export function branchOf(branches: readonly SchemaNode[], value: unknown): SchemaNode | undefined {
  const kind = isRecord(value) ? value.kind : undefined;
  return branches.find((branch) => branch.properties?.kind?.const === kind && kind !== undefined);
}

function unionErrors(branches: readonly SchemaNode[], value: unknown, path: string): readonly ScenarioError[] {
  const kinds = branches.flatMap((branch) => branch.properties?.kind?.const ?? []);
  if (kinds.length === 0) {
    const words = branches.flatMap((branch) => branch.const ?? []);
    if (words.includes(value as string)) return [];
    if (words.length === 0) return simpleErrors(branches, value, path);
    return [{ path, message: `must be one of ${words.join(', ')}, not ${shown(value)}` }];
  }
  if (!isRecord(value)) return [{ path, message: `must be an object with a kind: ${kinds.join(', ')}` }];
  const branch = branchOf(branches, value);
  if (branch !== undefined) return schemaErrors(branch, value, path);
  const kind = value.kind;
  const message = kind === undefined ? `is missing: one of ${kinds.join(', ')}` : `is unknown: ${shown(kind)}${offer(String(kind), kinds)}`;
  return [{ path: joinPath(path, 'kind'), message }];
}

/** One of several types without a kind: as a setting may be, or a text or an object. */
function simpleErrors(branches: readonly SchemaNode[], value: unknown, path: string): readonly ScenarioError[] {
  if (branches.some((branch) => schemaErrors(branch, value, path).length === 0)) return [];
  const object = branches.find(({ type }) => type === 'object');
  if (object !== undefined && isRecord(value)) return schemaErrors(object, value, path);
  return [{ path, message: `must be a ${branches.map(({ type }) => type).join(' or ')}, not ${shown(value)}` }];
}

function arrayErrors(schema: SchemaNode, items: SchemaNode, value: unknown, path: string): readonly ScenarioError[] {
  if (!Array.isArray(value)) return [{ path, message: `must be a list, not ${shown(value)}` }];
  if (value.length < (schema.minItems ?? 0)) return [{ path, message: `must have at least ${schema.minItems}` }];
  if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) return [{ path, message: `may have at most ${schema.maxItems}, and has ${value.length}` }];
  return value.flatMap((item, index) => schemaErrors(items, item, joinPath(path, index)));
}

function objectErrors(schema: SchemaNode, value: unknown, path: string): readonly ScenarioError[] {
  if (!isRecord(value)) return [{ path, message: `must be an object, not ${shown(value)}` }];
  const known = schema.properties ?? {};
  const others = Object.values(schema.patternProperties ?? {})[0];
  const missing = (schema.required ?? []).filter((name) => value[name] === undefined).map((name) => ({ path: joinPath(path, name), message: 'is missing' }));
  const given = Object.entries(value).flatMap(([name, one]): readonly ScenarioError[] => {
    const inner = Object.hasOwn(known, name) ? known[name] : others;
    if (inner === undefined) return [{ path: joinPath(path, name), message: `is unknown${offer(name, Object.keys(known))}` }];
    return one === undefined ? [] : schemaErrors(inner, one, joinPath(path, name));
  });
  return [...missing, ...given];
}
