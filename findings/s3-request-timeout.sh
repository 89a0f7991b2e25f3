#!/usr/bin/env bash
# @aws-sdk/client-s3 3.1173.0 on Node 26.10.0: requestTimeout does not end a request. A server that never answers is waited for; after
# the time a warning is written to the log and nothing else happens. throwOnRequestTimeout, beside it, makes it an error; socketTimeout
# counts silence.
# Seen: requestTimeout 500 ms: still waiting after 4000 ms; with throwOnRequestTimeout: TimeoutError; with socketTimeout: TimeoutError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","@aws-sdk/client-s3":"3.1173.0"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { createServer } from 'node:http';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
const server = createServer(() => undefined);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const waitMs = 4000;
async function ask(requestHandler) {
  const client = new S3Client({
    region: 'x',
    endpoint: `http://127.0.0.1:${server.address().port}`,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler,
  });
  const stop = new AbortController();
  const waiting = new Promise((resolve) => setTimeout(() => resolve(`still waiting after ${waitMs} ms`), waitMs));
  const asked = client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }), { abortSignal: stop.signal }).then(
    () => 'answered',
    (error) => error.name,
  );
  const outcome = await Promise.race([asked, waiting]);
  stop.abort();
  await asked;
  client.destroy();
  return outcome;
}
const alone = await ask({ requestTimeout: 500 });
const throwing = await ask({ requestTimeout: 500, throwOnRequestTimeout: true });
const silence = await ask({ socketTimeout: 500 });
console.log(`requestTimeout 500 ms: ${alone}; with throwOnRequestTimeout: ${throwing}; with socketTimeout: ${silence}`);
server.closeAllConnections();
server.close();
process.exitCode = alone.startsWith('still') && throwing === 'TimeoutError' && silence === 'TimeoutError' ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
