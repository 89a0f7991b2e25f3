#!/usr/bin/env bash
# openapi-typescript-codegen 0.31.0 on Node 26.10.0: Basic credentials whose password is empty (a key as the name, as many APIs have it) are left
# out of the request without a word, and so is a name without a password.
# Seen: key with a password: Basic a2V5OnNlY3JldA==; key with an empty one: no Authorization at all
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","openapi-typescript-codegen":"0.31.0","esbuild":"0.28.2"},"allowScripts":{"node":true,"esbuild":false}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > openapi.json <<'JSON'
{
  "openapi": "3.0.3",
  "info": { "title": "keys", "version": "1" },
  "servers": [{ "url": "/" }],
  "components": { "securitySchemes": { "basic": { "type": "http", "scheme": "basic" } } },
  "paths": { "/me": { "get": { "operationId": "me", "security": [{ "basic": [] }], "responses": { "200": { "description": "who asks", "content": { "application/json": { "schema": { "type": "object" } } } } } } } }
}
JSON
cat > try.ts <<'TS'
import { createServer } from 'node:http';
import { DefaultService, OpenAPI } from './client';
const seen = [];
const server = createServer((request, response) => {
  seen.push(request.headers.authorization);
  response.setHeader('content-type', 'application/json').end('{}');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
OpenAPI.BASE = `http://127.0.0.1:${server.address().port}`;
OpenAPI.USERNAME = 'key';
for (const password of ['secret', '']) {
  OpenAPI.PASSWORD = password;
  await DefaultService.me();
}
server.close();
server.closeAllConnections();
console.log('key with a password:', seen[0]);
console.log('key with an empty one:', seen[1] ?? 'no Authorization at all');
process.exitCode = seen[0] === `Basic ${btoa('key:secret')}` && seen[1] === undefined ? 0 : 1;
TS
./node_modules/.bin/node node_modules/openapi-typescript-codegen/bin/index.js --input openapi.json --output client
./node_modules/.bin/node node_modules/esbuild/bin/esbuild try.ts --bundle --platform=node --format=esm --log-level=error --outfile=try.mjs
timeout 60 ./node_modules/.bin/node try.mjs
