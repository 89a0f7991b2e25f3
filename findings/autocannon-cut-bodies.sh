#!/usr/bin/env bash
# autocannon 9.0.0 on Node 26.10.0: answers whose body is cut are counted as 2xx, and a server that closes every connection without an
# answer is neither an error nor a failed exit: a load test of a broken service is green.
# Seen: cut bodies: 2xx above 0, errors 0, non2xx 0; closed without an answer: 2xx 0, errors 0, exit code 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","autocannon":"9.0.0"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { spawnSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
const head = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n';
async function loaded(onData) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => onData(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const args = ['node_modules/autocannon/autocannon.js', '-j', '-c', '2', '-d', '2', `http://127.0.0.1:${server.address().port}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  server.close();
  const { '2xx': good, errors, non2xx } = JSON.parse(out);
  return { good, errors, non2xx, code };
}
const cut = await loaded((socket) => socket.end(`${head}only this much`));
const closed = await loaded((socket) => socket.end());
console.log('cut bodies:', cut);
console.log('closed without an answer:', closed);
process.exitCode = cut.good > 0 && cut.errors === 0 && cut.non2xx === 0 && cut.code === 0 && closed.good === 0 && closed.errors === 0 && closed.code === 0 ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
