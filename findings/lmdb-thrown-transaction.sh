#!/usr/bin/env bash
# lmdb 3.5.6 on Node 26.10.0: what a transaction() wrote before it threw stays written, and is on disk.
# The promise rejects with the thrown error, as one expects of a transaction that was rolled back, and yet a later read finds the
# value. transactionSync(), and childTransaction() inside transaction(), roll back.
# Seen: transaction: rejected, and kept "half"; transactionSync: threw, and kept nothing; childTransaction: rejected, and kept nothing
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","lmdb":"3.5.6"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { open } from 'lmdb';
const db = open({ path: 'store' });
const boom = (key) => () => {
  db.put(key, 'half');
  throw new Error('thrown in the middle');
};
const seen = {};
const note = (name, how) => {
  seen[name] = `${how}, and kept ${JSON.stringify(db.get(name)) ?? 'nothing'}`;
};
await db.transaction(boom('transaction')).then(
  () => note('transaction', 'resolved'),
  () => note('transaction', 'rejected'),
);
try {
  db.transactionSync(boom('transactionSync'));
} catch {
  note('transactionSync', 'threw');
}
await db.childTransaction(boom('childTransaction')).then(
  () => note('childTransaction', 'resolved'),
  () => note('childTransaction', 'rejected'),
);
await db.flushed;
await db.close();
const line = Object.entries(seen).map(([name, what]) => `${name}: ${what}`).join('; ');
console.log(line);
process.exitCode = seen.transaction === 'rejected, and kept "half"' && seen.transactionSync === 'threw, and kept nothing' ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
