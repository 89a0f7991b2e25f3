/** How deep an operation goes and what it may cost, before any of it is done. The document is valid: its fragments do not go in circles. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { usageDaysMax } from '#system/store/store.ts';

export type Measured = { readonly depth: number; readonly cost: number; readonly introspectionDepth: number };
type Variables = Readonly<Record<string, unknown>>;
type Walk = {
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly known: Map<string, Measured>;
  readonly sizeOf: (field: FieldNode) => number;
};

/** How often what is inside a field may come, where no `first` says it. */
const pageSizes: Readonly<Record<string, number>> = { devices: 50, history: 100, usage: 30 };
const nothing: Measured = { depth: 0, cost: 0, introspectionDepth: 0 };

/** Of the operation by that name, or of the only one; undefined where there is none. */
export function measureOperation(document: DocumentNode, operationName: string | null | undefined, variables: Variables): Measured | undefined {
  const operations = document.definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION);
  const operation = operationName == null ? operations[0] : operations.find(({ name }) => name?.value === operationName);
  if (operation === undefined) return undefined;
  const fragments = document.definitions.filter((each) => each.kind === Kind.FRAGMENT_DEFINITION);
  const walk: Walk = {
    fragments: new Map(fragments.map((fragment) => [fragment.name.value, fragment])),
    known: new Map(),
    sizeOf: (field) => pageSizeOf(field, operation, variables),
  };
  return measureSelections(operation.selectionSet, walk);
}

/** Each fragment once, however often it is spread. */
function measureSelections(set: SelectionSetNode | undefined, walk: Walk): Measured {
  let sum = nothing;
  for (const selection of set?.selections ?? []) {
    const own =
      selection.kind === Kind.FIELD
        ? measureField(selection, walk)
        : selection.kind === Kind.INLINE_FRAGMENT
          ? measureSelections(selection.selectionSet, walk)
          : measureFragment(selection.name.value, walk);
    sum = {
      depth: Math.max(sum.depth, own.depth),
      cost: sum.cost + own.cost,
      introspectionDepth: Math.max(sum.introspectionDepth, own.introspectionDepth),
    };
  }
  return sum;
}

function measureFragment(name: string, walk: Walk): Measured {
  const measured = walk.known.get(name) ?? measureSelections(walk.fragments.get(name)?.selectionSet, walk);
  walk.known.set(name, measured);
  return measured;
}

function measureField(field: FieldNode, walk: Walk): Measured {
  const inside = measureSelections(field.selectionSet, walk);
  const name = field.name.value;
  if (name === '__schema' || name === '__type') return { depth: 1, cost: 1 + inside.cost, introspectionDepth: 1 + inside.depth };
  return { depth: 1 + inside.depth, cost: 1 + walk.sizeOf(field) * inside.cost, introspectionDepth: inside.introspectionDepth };
}

function pageSizeOf(field: FieldNode, operation: OperationDefinitionNode, variables: Variables): number {
  const byDefault = pageSizes[field.name.value];
  const argument = (wanted: string): ValueNode | undefined => field.arguments?.find(({ name }) => name.value === wanted)?.value;
  const [first, from] = [argument('first'), argument('from')];
  // Its end may be anything: as many days as a range may have.
  if (field.name.value === 'usage' && from !== undefined && from.kind !== Kind.NULL) return usageDaysMax;
  if (first !== undefined) return sizeIn(first, operation, variables) ?? byDefault ?? 1;
  return byDefault ?? 1;
}

function sizeIn(value: ValueNode, operation: OperationDefinitionNode, variables: Variables): number | undefined {
  if (value.kind === Kind.INT) return Math.max(1, Number(value.value));
  if (value.kind !== Kind.VARIABLE) return undefined;
  const given = variables[value.name.value];
  if (typeof given === 'number') return Math.max(1, given);
  const preset = operation.variableDefinitions?.find(({ variable }) => variable.name.value === value.name.value)?.defaultValue;
  return preset === undefined ? undefined : sizeIn(preset, operation, variables);
}
