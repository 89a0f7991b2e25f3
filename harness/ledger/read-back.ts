/** Reads everything back through the public export. */

import { createInterface } from 'node:readline';
import { request } from 'undici';
import { askAgain } from '#harness/topology/ask-again.ts';

export type ReadExportInput = {
  readonly url: string;
  readonly accounts: readonly { readonly authorization: string }[];
  readonly budgetMs: number;
  /** In the export's order; the line's own bytes beside its id. */
  readonly onLine: (eventId: string, line: string) => void;
};

const linesAPageMax = 50_000;

/** Rejects with a sentence where it could not be read to its end. */
export async function readExport(input: ReadExportInput): Promise<void> {
  const endMs = performance.now() + input.budgetMs;
  for (const { authorization } of input.accounts) {
    let after: string | undefined;
    for (;;) {
      if (performance.now() > endMs) throw new Error(`the export was not read to its end within ${input.budgetMs / 1000} s`);
      const page = await readPage({ ...input, authorization, after, endMs });
      if (page.lines === 0) break;
      after = page.cursor;
    }
  }
}

type PageInput = ReadExportInput & { readonly authorization: string; readonly after: string | undefined; readonly endMs: number };

async function readPage({ url, authorization, after, onLine, endMs }: PageInput): Promise<{ lines: number; cursor: string }> {
  const query = new URLSearchParams({ limit: String(linesAPageMax), ...(after === undefined ? {} : { after }) });
  const options = { headers: { authorization, accept: 'application/x-ndjson' }, headersTimeout: 30_000, bodyTimeout: 30_000 };
  const answer = await askAgain(() => request(`${url}/v1/export?${query}`, options), endMs);
  if (answer.statusCode !== 200) throw new Error(`the export answered ${answer.statusCode}: ${(await answer.body.text()).slice(0, 200)}`);
  const cursor = answer.headers['export-cursor'];
  if (typeof cursor !== 'string') throw new Error('the export gave no Export-Cursor, so its next page cannot be asked for');
  let lines = 0;
  for await (const line of createInterface({ input: answer.body, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue;
    lines++;
    const { id } = JSON.parse(line) as { id?: unknown };
    if (typeof id !== 'string') throw new Error(`line ${lines} of the export has no id: ${line.slice(0, 120)}`);
    onLine(id, line);
  }
  return { lines, cursor };
}
