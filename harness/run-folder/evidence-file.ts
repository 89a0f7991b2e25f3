/** One file a kind of accusation, one line an event: for whoever runs the service. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from '#harness/ledger/evidence.ts';

/** Nothing where nobody was accused. */
export async function writeEvidence(folder: string, evidence: readonly Evidence[]): Promise<void> {
  for (const [kind, all] of Map.groupBy(evidence, (one) => one.kind)) {
    await mkdir(join(folder, 'evidence'), { recursive: true });
    await writeFile(join(folder, 'evidence', `${kind}-events.ndjson`), all.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
}
