/** From a JSON schema to values of it, and to values that nearly are. */
import fc from 'fast-check';
import type { Schema } from './description.ts';
import { mayBeKnown, placeOf } from './known.ts';

const depthMax = 6;
const itemsMax = 4;

/** Where there are examples they come oftener: a schema alone rarely says all that makes a value one that is taken. */
export function validOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const { examples } = schema as { readonly examples?: readonly unknown[] };
  if (examples === undefined || examples.length === 0) return bySchema(schema, depth);
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...examples) }, { weight: 1, arbitrary: bySchema(schema, depth) });
}

function bySchema(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return fc.oneof(...(choices as Schema[]).map((choice) => validOf(choice, depth + 1)));
  if (depth > depthMax) return fc.constant(null);
  switch (schema.type) {
    case 'object':
      return objectOf(schema, depth);
    case 'array': {
      const { items = {}, minItems = 0, maxItems = itemsMax } = schema as { items?: Schema; minItems?: number; maxItems?: number };
      return fc.array(validOf(items, depth + 1), { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, itemsMax)) });
    }
    case 'string':
      return textOf(schema);
    case 'integer':
    case 'number': {
      const { minimum = -1000, maximum = 1_000_000 } = schema as { minimum?: number; maximum?: number };
      return schema.type === 'integer' ? fc.integer({ min: minimum, max: maximum }) : fc.double({ min: minimum, max: maximum, noNaN: true });
    }
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objectOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, Schema>; required?: string[] };
  const fields = Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, fieldOf(name, property, depth + 1)]));
  const { additionalProperties: free } = schema as { additionalProperties?: Schema | boolean };
  if (typeof free === 'object' && Object.keys(properties).length === 0)
    return fc.dictionary(fc.string({ maxLength: 8 }), validOf(free, depth + 1), { maxKeys: itemsMax });
  return fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
}

function fieldOf(name: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const valid = validOf(schema, depth);
  return schema.type === 'string' && mayBeKnown(name) ? fc.oneof(valid, placeOf(name)) : valid;
}

function textOf(schema: Schema): fc.Arbitrary<string> {
  const { pattern, minLength = 0, maxLength = 40 } = schema as { pattern?: string; minLength?: number; maxLength?: number };
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
  return fc.oneof(
    fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) }),
    fc.constantFrom('2026-11-24T10:00:00.000Z', '2026-11-24', '-1', 'now').map((text) => text.slice(0, maxLength)),
  );
}

const odd = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.constantFrom<unknown>(null, true, '', -1, 0, 1e308, -0, 2 ** 53, [], {}, [[]], '\u0000', '\ud800', '__proto__', 'x'.repeat(5000)),
    fc.jsonValue({ maxDepth: 3 }),
    fc.string({ unit: 'binary', maxLength: 30 }),
  );

/** A valid value with one thing that is not as it should be. */
export const nearlyOf = (schema: Schema): fc.Arbitrary<unknown> =>
  fc.tuple(validOf(schema), odd(), fc.nat(), fc.constantFrom('replace', 'drop', 'add', 'whole')).map(([value, strange, at, how]) => {
    if (how === 'whole' || typeof value !== 'object' || value === null) return strange;
    return bend(value, { strange, at, how });
  });

type Bend = { readonly strange: unknown; readonly at: number; readonly how: 'replace' | 'drop' | 'add' };

function bend(value: object, { strange, at, how }: Bend): unknown {
  const keys = Object.keys(value);
  const key = keys[at % Math.max(1, keys.length)];
  if (how === 'add' || key === undefined) return Array.isArray(value) ? [...value, strange] : { ...value, unexpected: strange };
  const child = (value as Record<string, unknown>)[key];
  const inside = typeof child === 'object' && child !== null && at % 2 === 1 ? bend(child, { strange, at: at >> 1, how }) : strange;
  if (Array.isArray(value))
    return how === 'drop' ? value.filter((_, i) => String(i) !== key) : value.map((item: unknown, i) => (String(i) === key ? inside : item));
  const { [key]: _, ...rest } = value as Record<string, unknown>;
  return how === 'drop' ? rest : { ...rest, [key]: inside };
}

/** Bytes that are no JSON, or no text. */
export const brokenOf = (schema: Schema): fc.Arbitrary<Buffer> =>
  fc
    .tuple(validOf(schema), fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.constantFrom('cut', 'noise', 'splice', 'deep'))
    .map(([value, noise, at, how]) => {
      const whole = Buffer.from(JSON.stringify(value) ?? '');
      const place = at % (whole.length + 1);
      if (how === 'cut') return whole.subarray(0, place);
      if (how === 'noise') return Buffer.from(noise);
      if (how === 'deep') return Buffer.from('['.repeat(1000 + (at % 20_000)));
      return Buffer.concat([whole.subarray(0, place), noise, whole.subarray(place)]);
    });
