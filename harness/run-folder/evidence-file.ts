/** One file a kind of accusation, one line an event or change: for whoever runs the service. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `of`: what is accused, as it ends the file's name. Nothing is written where nobody was accused. */
export async function writeEvidence(folder: string, of: 'events' | 'changes' | 'webhooks', evidence: readonly { readonly kind: string }[]): Promise<void> {
  for (const [kind, all] of Map.groupBy(evidence, (one) => one.kind)) {
    await mkdir(join(folder, 'evidence'), { recursive: true });
    await writeFile(join(folder, 'evidence', `${kind}-${of}.ndjson`), all.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
}
