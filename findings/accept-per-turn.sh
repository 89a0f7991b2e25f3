#!/usr/bin/env bash
# Node 26.10.0 (libuv 1.52.1) and Node 18.20.8 (libuv 1.44.2): of connections that wait in a listening socket the newer one accepts one in
# each turn of the loop, the older one all at once. A server whose turns are long under load so lets few in a second: with turns of
# 50 ms the last of 400 who connect together waits for 20 s, while all that are in are served.
# Seen: v26.10.0: 60 connections in 60 turns; v18.20.8: 60 connections in 1 turn
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir new old
echo '{"private":true,"dependencies":{"node":"26.10.0"},"allowScripts":{"node":true}}' > new/package.json
echo '{"private":true,"dependencies":{"node":"18.20.8"},"allowScripts":{"node":true}}' > old/package.json
for each in new old; do (cd "$each" && npm install --silent --no-audit --no-fund --no-package-lock); done
cat > try.js <<'JS'
const { execFileSync } = require('node:child_process');
const { createServer } = require('node:net');
const connections = 60;
const client = `
  let connected = 0;
  for (let i = 0; i < ${connections}; i++)
    require('node:net').connect(Number(process.argv[1]), '127.0.0.1', () => ++connected === ${connections} && process.exit(0));
`;
let turn = 0;
const turns = new Set();
let seen = 0;
const server = createServer((socket) => {
  socket.on('error', () => undefined).resume();
  turns.add(turn);
  if (++seen < connections) return;
  console.log(`${process.version}: ${seen} connections in ${turns.size} turn${turns.size === 1 ? '' : 's'}`);
  process.exit(0);
});
const count = () => {
  turn++;
  setImmediate(count);
};
server.listen(0, '127.0.0.1', () => {
  // All of them are connected before this process looks for the first.
  execFileSync(process.execPath, ['-e', client, String(server.address().port)]);
  count();
});
JS
new=$(timeout 30 new/node_modules/.bin/node try.js)
old=$(timeout 30 old/node_modules/.bin/node try.js)
printf '%s\n' "$new" "$old"
[ "$new" = 'v26.10.0: 60 connections in 60 turns' ] && [ "$old" = 'v18.20.8: 60 connections in 1 turn' ]
