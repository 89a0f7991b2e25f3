/** One operation, asked and answered. */
import { request } from 'undici';

export type Asking = { readonly url: string; readonly authorization: string; readonly query: string };

export type GraphqlError = { readonly message: string; readonly extensions?: { readonly code?: string } };
export type Answered = {
  readonly status: number;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly errors: readonly GraphqlError[];
};

export async function ask({ url, authorization, query }: Asking): Promise<Answered> {
  const headers = { authorization, accept: 'application/json', 'content-type': 'application/json' };
  const answer = await request(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const text = await answer.body.text();
  const { data, errors = [] } = parsed(text);
  return { status: answer.statusCode, text, data: data ?? undefined, errors };
}

function parsed(text: string): { readonly data?: Readonly<Record<string, unknown>> | null; readonly errors?: readonly GraphqlError[] } {
  try {
    return JSON.parse(text) as ReturnType<typeof parsed>;
  } catch {
    return {};
  }
}
