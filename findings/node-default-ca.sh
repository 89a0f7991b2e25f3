#!/usr/bin/env bash
# Node 26.10.0: tls.setDefaultCACertificates() takes a text that holds no certificate at all in silence, and one that does is trusted
# by the thread that called and by no worker, also not by one that starts afterwards. Who adds an authority at run time has to look at
# the file himself and to say it again in every thread.
# Seen: a text without a certificate: taken; main thread afterwards: connected; worker that started afterwards: DEPTH_ZERO_SELF_SIGNED_CERT
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=x', '-addext', 'subjectAltName=IP:127.0.0.1'];
execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', '-keyout', 'key.pem', '-out', 'cert.pem'], { stdio: 'ignore' });
const server = tls.createServer({ key: readFileSync('key.pem'), cert: readFileSync('cert.pem') }, (socket) => socket.on('error', () => undefined));
server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
await once(server, 'listening');
const connecting = `(tls, say) => {
  const socket = tls.connect({ host: '127.0.0.1', port: ${server.address().port} }, () => { say('connected'); socket.destroy(); });
  socket.on('error', ({ code }) => say(code));
}`;
let taken = 'refused';
try {
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), 'no certificate']);
  taken = 'taken';
} catch {}
tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync('cert.pem', 'utf8')]);
const main = await new Promise((resolve) => (0, eval)(connecting)(tls, resolve));
const code = `(${connecting})(require('node:tls'), (what) => require('node:worker_threads').parentPort.postMessage(what))`;
const [worker] = await once(new Worker(code, { eval: true }), 'message');
server.close();
console.log(`a text without a certificate: ${taken}; main thread afterwards: ${main}; worker that started afterwards: ${worker}`);
process.exitCode = taken === 'taken' && main === 'connected' && worker === 'DEPTH_ZERO_SELF_SIGNED_CERT' ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
