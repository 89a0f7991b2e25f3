#!/usr/bin/env bash
# eventsource 5.1.5 on Node 26.10.0 (browsers do the same, by the HTML standard): a 503 with Retry-After ends an EventSource for good,
# while a connection that is refused or cut is tried again for ever. A server that drains politely loses its readers; one that crashes
# keeps them. 200 with a retry: line, then the end, keeps them too.
# Seen: refused: connecting again; 503 with Retry-After: closed; 200 with retry: connecting again
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","eventsource":"5.1.5"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { createServer } from 'node:http';
import { EventSource } from 'eventsource';
const states = ['connecting again', 'open', 'closed'];
async function listenTo(url) {
  const source = new EventSource(url);
  await new Promise((resolve) => source.addEventListener('error', resolve));
  const state = states[source.readyState];
  source.close();
  return state;
}
const server = createServer((request, response) => {
  if (request.url === '/busy') response.writeHead(503, { 'retry-after': '1' }).end();
  else response.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 1000\n\n');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;
const busy = await listenTo(`${url}/busy`);
const polite = await listenTo(`${url}/polite`);
await new Promise((resolve) => server.close(resolve));
const refused = await listenTo(`${url}/gone`);
console.log(`refused: ${refused}; 503 with Retry-After: ${busy}; 200 with retry: ${polite}`);
process.exitCode = refused === states[0] && busy === 'closed' && polite === states[0] ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
