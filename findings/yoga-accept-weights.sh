#!/usr/bin/env bash
# graphql-yoga 5.24.1: weights of an Accept header are read by nobody. A type with q=0, which means "never" (RFC 9110, 12.4.2), is given, and
# of two the one that stands first is, whatever they weigh.
# Seen: application/json;q=0: 200 application/json; application/json;q=0.1, application/graphql-response+json: 200 application/json
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","graphql":"16.15.0","graphql-yoga":"5.24.1"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { createSchema, createYoga } from 'graphql-yoga';
const schema = createSchema({ typeDefs: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } } });
const yoga = createYoga({ schema, logging: false });
const body = JSON.stringify({ query: '{ a }' });
async function ask(accept) {
  const answer = await yoga.fetch('http://service/graphql', { method: 'POST', headers: { accept, 'content-type': 'application/json' }, body });
  await answer.text();
  return `${answer.status} ${answer.headers.get('content-type')?.split(';', 1)[0]}`;
}
const [never, seldom] = ['application/json;q=0', 'application/json;q=0.1, application/graphql-response+json'];
const [forNever, forSeldom] = [await ask(never), await ask(seldom)];
console.log(`${never}: ${forNever}; ${seldom}: ${forSeldom}`);
process.exitCode = forNever === '200 application/json' && forSeldom === '200 application/json' ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
