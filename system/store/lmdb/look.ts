/**
 * A process of its own that opens the data once, before the service does: lmdb ends whoever opens damaged data, or says in words what is wrong.
 * Prints what became of data of an older format.
 */
import { openDirectStore } from './direct-store.ts';
import { openTables } from './tables.ts';

const [folder = '', durability = 'fsync'] = process.argv.slice(2);
try {
  const isUnflushed = durability === 'memory';
  const tables = openTables(folder, isUnflushed);
  const store = openDirectStore(tables, { folder, dedupeHours: 24, durability: isUnflushed ? 'memory' : 'fsync' });
  await store.close();
  await tables.root.close();
  process.stdout.write(store.migration ?? '');
} catch (error) {
  process.stdout.write(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
