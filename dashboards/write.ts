/** `npm run dashboards` */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writtenFiles } from './written-files.ts';

for (const [path, text] of writtenFiles()) {
  writeFileSync(join(import.meta.dirname, path), text);
  process.stdout.write(`dashboards/${path}\n`);
}
