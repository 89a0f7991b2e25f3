/** Reads everything back through the public export and audits it. */

import { createInterface } from 'node:readline';
import { request } from 'undici';
import { messageOf } from '#harness/message-of.ts';
import type { LedgerRecord } from '#harness/run-result.ts';
import type { Audit, AuditCounts } from './audit.ts';

export type ReadBackInput = {
  readonly url: string;
  readonly accounts: readonly { readonly authorization: string }[];
  readonly audit: Audit;
  /** Events of the probe's run go here. */
  readonly probe?: { readonly audit: Audit; readonly isProbes: (eventId: string) => boolean };
  readonly budgetMs: number;
  readonly onProgress?: (lines: number) => void;
};

export type ReadBack = AuditCounts & Pick<LedgerRecord, 'readSeconds' | 'incomplete'>;

const linesAPageMax = 50_000;

/** Never throws: what could not be read makes the ledger incomplete, with the reason. */
export async function readBack(input: ReadBackInput): Promise<ReadBack> {
  const startedMs = performance.now();
  let lines = 0;
  let incomplete: string | undefined;
  try {
    for (const { authorization } of input.accounts) {
      let after: string | undefined;
      for (;;) {
        if (performance.now() - startedMs > input.budgetMs) throw new Error(`the export was not read to its end within ${input.budgetMs / 1000} s`);
        const page = await readPage({ ...input, authorization, after });
        lines += page.lines;
        input.onProgress?.(lines);
        if (page.lines === 0) break;
        after = page.cursor;
      }
    }
  } catch (error) {
    incomplete = messageOf(error);
  }
  const probe = input.probe?.audit.finish();
  const counts = input.audit.finish();
  return {
    ...counts,
    // What the probe sent is judged as strictly; its events are not counted as the plan's.
    lost: counts.lost + (probe?.lost ?? 0),
    duplicated: counts.duplicated + (probe?.duplicated ?? 0),
    reordered: counts.reordered + (probe?.reordered ?? 0),
    examples: [...counts.examples, ...(probe?.examples ?? [])],
    readSeconds: (performance.now() - startedMs) / 1000,
    ...(incomplete === undefined ? {} : { incomplete }),
  };
}

type PageInput = ReadBackInput & { readonly authorization: string; readonly after: string | undefined };

async function readPage({ url, authorization, after, audit, probe }: PageInput): Promise<{ lines: number; cursor: string }> {
  const query = new URLSearchParams({ limit: String(linesAPageMax), ...(after === undefined ? {} : { after }) });
  const answer = await request(`${url}/v1/export?${query}`, {
    headers: { authorization, accept: 'application/x-ndjson' },
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  if (answer.statusCode !== 200) throw new Error(`the export answered ${answer.statusCode}: ${(await answer.body.text()).slice(0, 200)}`);
  const cursor = answer.headers['export-cursor'];
  if (typeof cursor !== 'string') throw new Error('the export gave no Export-Cursor, so its next page cannot be asked for');
  let lines = 0;
  for await (const line of createInterface({ input: answer.body, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue;
    lines++;
    const { id } = JSON.parse(line) as { id?: unknown };
    if (typeof id !== 'string') throw new Error(`line ${lines} of the export has no id: ${line.slice(0, 120)}`);
    if (probe?.isProbes(id) === true) probe.audit.see(id);
    else audit.see(id);
  }
  return { lines, cursor };
}
