/** The service's description, as far as the fuzz reads it. */

export type Schema = Readonly<Record<string, unknown>>;
export type Parameter = { readonly name: string; readonly in: 'path' | 'query' | 'header'; readonly required?: boolean; readonly schema: Schema };
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
export type Described = { readonly description?: string; readonly content?: Content };

export type Route = {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  readonly responses: Readonly<Record<string, Described>>;
};

type Operation<Response> = {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses?: Readonly<Record<string, Response>>;
};
type Paths<Response> = Readonly<Record<string, Readonly<Record<string, Operation<Response>>>>>;
export type OpenApi = { readonly components?: object; readonly paths: Paths<Described | { readonly $ref: string }> };

/** Every reference as what it refers to: none of the description leads back to itself. */
function resolved(node: unknown, document: OpenApi): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map((part) => resolved(part, document));
  const { $ref } = node as { readonly $ref?: unknown };
  if (typeof $ref !== 'string') return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, resolved(part, document)]));
  const [, ...parts] = $ref.split('/');
  const found = parts.reduce<unknown>((inside, part) => (inside as Record<string, unknown> | undefined)?.[part], document);
  if (found === undefined) throw new Error(`the description refers to ${$ref}, and has nothing there`);
  return resolved(found, document);
}

export const routesOf = (document: OpenApi): readonly Route[] =>
  Object.entries(resolved(document.paths, document) as Paths<Described>).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody, responses = {} }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      responses,
    })),
  );
